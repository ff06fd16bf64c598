"""Frames spoilt at random: whatever comes, ingest answers it in words, goes on, and keeps its memory and its books."""

import asyncio
import random
import time

import pytest

from tests.fuzz.healthy import Healthy
from tests.fuzz.ingest import Ingest
from tests.fuzz.material import batch, corpus, hello
from tests.fuzz.mutation import spoilt
from tests.fuzz.wire import speak
from tests.waiting import until

SEED = 20_262
SHORT_S, LONG_S = 6.0, 1800.0
WARM_SHARE = 0.2  # of the time, after which memory should not grow any more
GROWTH_BYTES = 48 * 1024 * 1024  # remembered layouts, and what a commit of the largest frames takes
HELLO_SPOILT, FRAME_SPOILT = 0.1, 0.6


def history(rng: random.Random) -> list[bytes]:
    """What one stream says: Hello, some frames, and often a sound one at the end."""
    known = corpus()
    opening = hello()
    frames = [rng.choice(known) for _ in range(rng.randint(1, 6))]
    frames = [spoilt(rng, frame, others=known) if rng.random() < FRAME_SPOILT else frame for frame in frames]
    if rng.random() < HELLO_SPOILT:
        opening = spoilt(rng, opening, others=known)
    return [opening, *frames, batch(1)]


@pytest.mark.timeout(2400)  # the long form takes half an hour
async def test_spoilt_frames_are_answered_and_trouble_nobody_else(
    ingest: Ingest, healthy: Healthy, long_form: bool
) -> None:
    seconds = LONG_S if long_form else SHORT_S
    seed = time.time_ns() if long_form else SEED  # every long run finds something of its own
    began_s, before = time.monotonic(), len(healthy.acked)
    spoken = [0]

    async def throw(number: int) -> None:
        rng, key = random.Random(f"{seed}-{number}"), ingest.enrolled[number].key
        while time.monotonic() < began_s + seconds:
            frames = history(rng)
            outcome = await speak(ingest.channel, key=key, frames=frames)
            said = b"\n".join(frame[:2000] for frame in frames).hex("\n", 80)

            assert outcome.fault == "", f"seed {seed}, thrower {number}, after {spoken[0]} streams:\n{said}"
            spoken[0] += 1

    async with asyncio.TaskGroup() as throwing:  # one that finds something ends the others
        for number in range(1, len(ingest.enrolled)):
            throwing.create_task(throw(number))
        await asyncio.sleep(seconds * WARM_SHARE)
        warm_bytes = await ingest.rss_bytes()
    late = len(healthy.acked)
    grown_bytes = await ingest.rss_bytes() - warm_bytes
    print(  # noqa: T201 - what a long run was worth
        f"{spoken[0]} spoilt streams, {grown_bytes / 1e6:+.1f} MB of memory, {len(healthy.acked) - before} healthy acks"
    )

    assert spoken[0] > seconds
    assert grown_bytes < GROWTH_BYTES
    assert late > before
    await until(lambda: len(healthy.acked) > late)
