"""What waits for a slow viewer is bounded."""

import asyncio
from collections.abc import Hashable

from hypothesis import given
from hypothesis import strategies as st

from gateway.live.outbox import Outbox


def outbox(*, messages: int = 4, size: int = 1000) -> Outbox:
    return Outbox(max_messages=messages, max_bytes=size)


async def content(box: Outbox) -> list[bytes]:
    return [await box.take() for _ in range(len(box))]


async def test_frames_leave_in_the_order_they_came() -> None:
    box = outbox()
    box.put(b"a", key=("s", "1"))
    box.put(b"b")
    box.put(b"c", key=("s", "1"))

    assert await content(box) == [b"a", b"b", b"c"]


async def test_taking_waits_for_a_frame() -> None:
    box = outbox()
    waiting = asyncio.create_task(box.take())
    await asyncio.sleep(0)
    box.put(b"a")

    assert await waiting == b"a"


async def test_past_the_limit_only_the_newest_of_each_key_stays() -> None:
    box = outbox(messages=4)
    for body, key in [(b"a1", "a"), (b"b1", "b"), (b"a2", "a"), (b"b2", "b"), (b"a3", "a")]:
        box.put(body, key=key)

    assert await content(box) == [b"b2", b"a3"]
    assert box.dropped == 3


async def test_frames_without_a_key_are_never_lost() -> None:
    box = outbox(messages=3)
    for body, key in [(b"error", None), (b"a1", "a"), (b"b1", "b"), (b"c1", "c")]:
        assert box.put(body, key=key)

    assert await content(box) == [b"error", b"b1", b"c1"]


async def test_too_many_frames_that_may_not_be_lost_are_reported() -> None:
    box = outbox(messages=2)

    assert [box.put(b"error") for _ in range(3)] == [True, True, False]


async def test_bytes_are_limited_too_but_one_large_frame_passes() -> None:
    box = outbox(size=100)

    assert box.put(b"x" * 500, key="a")
    assert box.put(b"y" * 80, key="a")
    assert await content(box) == [b"y" * 80]


async def test_the_frames_of_an_ended_subscription_are_forgotten() -> None:
    box = outbox()
    box.put(b"a", key=("gone", "1"))
    box.put(b"b", key=("stays", "1"))
    box.put(b"c")
    box.forget(prefix="gone")

    assert await content(box) == [b"b", b"c"]
    assert box.size_bytes == 0


FRAMES = st.lists(st.tuples(st.binary(max_size=40), st.sampled_from([None, "a", "b", ("c", 1)])), max_size=60)


@given(FRAMES)
def test_limits_hold_whatever_comes(frames: list[tuple[bytes, Hashable | None]]) -> None:
    box = outbox(messages=5, size=100)
    newest: dict[Hashable, bytes] = {}
    for body, key in frames:
        if not box.put(body, key=key):
            return  # the session ends here
        if key is not None:
            newest[key] = body

        assert len(box) <= 5
        assert box.size_bytes <= 100 or len(box) == 1
        assert box.size_bytes == sum(len(frame.body) for frame in box._frames)
    kept = {frame.key: frame.body for frame in box._frames if frame.key is not None}

    assert all(newest[key] == body for key, body in kept.items())
