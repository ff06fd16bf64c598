"""Admission: bounded room, a bounded queue, first come first served."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.intake.admission import Admission, AdmissionFullError


async def test_who_fits_is_let_in_at_once() -> None:
    admission = Admission(admitted_bytes=10, waiting_bytes=10)
    await admission.acquire(4)
    await admission.acquire(6)

    assert admission.admitted_bytes == 10


async def test_who_does_not_fit_waits_for_room_in_turn() -> None:
    admission = Admission(admitted_bytes=10, waiting_bytes=10)
    await admission.acquire(10)
    large, small = (asyncio.create_task(admission.acquire(size)) for size in (8, 1))
    await asyncio.sleep(0)
    waited = not large.done() and not small.done()
    admission.release(10)
    await asyncio.gather(large, small)

    assert (waited, admission.admitted_bytes) == (True, 9)


async def test_a_full_queue_turns_away() -> None:
    admission = Admission(admitted_bytes=10, waiting_bytes=5)
    await admission.acquire(10)
    waiting = asyncio.create_task(admission.acquire(5))
    await asyncio.sleep(0)

    with pytest.raises(AdmissionFullError):
        await admission.acquire(1)
    waiting.cancel()


async def test_a_backlog_leaves_half_of_the_room_and_is_turned_away_instead_of_waiting() -> None:
    admission = Admission(admitted_bytes=10, waiting_bytes=20)
    admission.acquire_spare(5)
    with pytest.raises(AdmissionFullError):
        admission.acquire_spare(1)
    await admission.acquire(5)

    assert admission.admitted_bytes == 10


async def test_a_backlog_does_not_overtake_who_waits() -> None:
    admission = Admission(admitted_bytes=10, waiting_bytes=20)
    await admission.acquire(4)
    waiting = asyncio.create_task(admission.acquire(9))
    await asyncio.sleep(0)

    with pytest.raises(AdmissionFullError):
        admission.acquire_spare(1)
    waiting.cancel()


async def test_who_gives_up_waiting_makes_room_for_those_behind() -> None:
    admission = Admission(admitted_bytes=10, waiting_bytes=20)
    await admission.acquire(4)
    large, small = (asyncio.create_task(admission.acquire(size)) for size in (9, 6))
    await asyncio.sleep(0)
    large.cancel()
    await asyncio.wait_for(small, timeout=1)

    assert admission.admitted_bytes == 10


async def test_who_is_larger_than_all_room_is_let_in_alone() -> None:
    admission = Admission(admitted_bytes=10, waiting_bytes=20)
    await admission.acquire(15)

    assert admission.admitted_bytes == 15


@settings(max_examples=200)
@given(steps=st.lists(st.tuples(st.integers(1, 8), st.sampled_from(["acquire", "release", "cancel"])), max_size=60))
async def test_room_is_never_exceeded_and_never_leaks(steps: list[tuple[int, str]]) -> None:
    admission = Admission(admitted_bytes=10, waiting_bytes=12)
    tasks: list[tuple[int, asyncio.Task[None]]] = []
    for size, step in steps:
        if step == "acquire":
            tasks.append((size, asyncio.create_task(admission.acquire(size))))
        elif tasks:
            held, task = tasks.pop(0)
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled() and task.exception() is None:
                admission.release(held)
        await asyncio.sleep(0)
        assert admission.admitted_bytes <= 10
    for size, task in tasks:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled() and task.exception() is None:
            admission.release(size)

    assert admission.admitted_bytes == 0
