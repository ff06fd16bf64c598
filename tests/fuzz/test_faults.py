"""Each way to speak wrongly has its answer: an ack that says what was refused or left out, a Fatal, a clear status."""

import itertools

import pytest

from tests.fuzz.faults import FAULTS
from tests.fuzz.healthy import Healthy
from tests.fuzz.ingest import Ingest
from tests.fuzz.material import BACKFILL, LIVE, hello
from tests.fuzz.wire import speak_until_heard
from tests.waiting import until

_turns = itertools.count()


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_answered_in_words_and_troubles_nobody_else(
    name: str, ingest: Ingest, healthy: Healthy
) -> None:
    fault = FAULTS[name]
    key = ingest.enrolled[1 + next(_turns) % (len(ingest.enrolled) - 1)].key
    before = len(healthy.acked)
    found = await speak_until_heard(ingest.channel, key=key, frames=[fault.hello or hello(), *fault.frames])
    lane = BACKFILL if name.startswith("a gap") else LIVE

    assert found.fault == ""
    assert (found.code, found.fatal) == (fault.code, fault.fatal)
    assert (found.rejected, found.left_out) == (_set(fault.rejected), _set(fault.left_out))
    assert fault.acked in (-1, found.acked(lane))
    await until(lambda: len(healthy.acked) > before)
    assert ingest.alive


def _set(word: str) -> set[str]:
    return {word} if word else set()
