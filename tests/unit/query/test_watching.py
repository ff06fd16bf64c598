"""What waits for a viewer stays bounded, a feed knows when to look into storage, a gate lets so many in."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.errors import FlickError, Kind
from services.query.answers.gate import Gate
from services.query.rules.measured import Measured
from services.query.watch.backlog import Backlog, Update
from services.query.watch.feed import Feed
from services.query.watch.times import WatchTimes

TIMES = WatchTimes(poll_s=1, patience_s=2)


def _measured(time_us: int) -> Measured:
    return Measured(time_us=time_us, core=(), layout=(), labelled=())


def _ignored(_: int) -> None:
    return None


async def _drain(backlog: Backlog) -> list[tuple[str, int]]:
    updates = []
    while len(backlog):
        update = await backlog.take(timeout_s=1)
        assert update is not None
        updates.append((update.server_id, update.measured.time_us))
    return updates


async def test_updates_come_in_the_order_in_which_they_were_put() -> None:
    backlog = Backlog(on_coalesced=_ignored)
    for time_us, server_id in enumerate("abab"):
        backlog.put(Update(server_id, _measured(time_us)))

    assert await _drain(backlog) == [("a", 0), ("b", 1), ("a", 2), ("b", 3)]


@given(servers=st.lists(st.sampled_from("abc"), max_size=60), limit=st.integers(4, 10))
def test_a_full_backlog_keeps_the_newest_of_each_server_and_counts_the_rest(servers: list[str], limit: int) -> None:
    given_up: list[int] = []
    backlog = Backlog(on_coalesced=given_up.append, limit=limit)
    for time_us, server_id in enumerate(servers):
        backlog.put(Update(server_id, _measured(time_us)))

        assert len(backlog) <= limit

    left = asyncio.run(_drain(backlog))
    newest = {server_id: time_us for time_us, server_id in enumerate(servers)}
    assert dict(left) == newest
    assert [time_us for _, time_us in left] == sorted(time_us for _, time_us in left)
    assert len(left) + sum(given_up) == len(servers)


async def test_taking_from_an_empty_backlog_ends_after_a_while() -> None:
    assert await Backlog(on_coalesced=_ignored).take(timeout_s=0.01) is None


async def test_a_waiting_viewer_is_woken_by_an_update_and_by_the_end() -> None:
    backlog = Backlog(on_coalesced=_ignored)
    taking = asyncio.create_task(backlog.take(timeout_s=60))
    await asyncio.sleep(0)
    backlog.put(Update("a", _measured(1)))

    assert await asyncio.wait_for(taking, timeout=5) == Update("a", _measured(1))

    taking = asyncio.create_task(backlog.take(timeout_s=60))
    await asyncio.sleep(0)
    backlog.close()

    assert await asyncio.wait_for(taking, timeout=5) is None
    assert backlog.closed


def test_a_feed_hands_on_only_what_is_newer() -> None:
    feed, backlog = Feed(server_id="a", now_s=0), Backlog(on_coalesced=_ignored)
    feed.add(backlog)

    assert [feed.deliver(_measured(time_us), now_s=1) for time_us in (5, 5, 4, 6)] == [True, False, False, True]
    assert len(backlog) == 2


@pytest.mark.parametrize(("live", "due_after_s"), [(False, 4), (True, 7)])
def test_storage_is_asked_every_interval_and_later_while_samples_come_live(live: bool, due_after_s: int) -> None:
    feed = Feed(server_id="a", now_s=100)
    feed.live = live

    assert not feed.due(now_s=100 + due_after_s - 0.1, interval_s=5, times=TIMES)
    assert feed.due(now_s=100 + due_after_s, interval_s=5, times=TIMES)


def test_a_feed_without_viewers_says_so() -> None:
    feed = Feed(server_id="a", now_s=0)
    one, other = Backlog(on_coalesced=_ignored), Backlog(on_coalesced=_ignored)
    feed.add(one)
    feed.add(other)

    assert [feed.remove(one), feed.remove(other)] == [False, True]


async def test_a_gate_lets_some_in_has_some_wait_and_refuses_the_rest() -> None:
    refused: list[None] = []
    gate = Gate(at_once=2, waiting=1, on_refused=lambda: refused.append(None))
    inside, leave = 0, asyncio.Event()

    async def call() -> None:
        nonlocal inside
        async with gate.entered():
            inside += 1
            await leave.wait()

    calls = [asyncio.create_task(call()) for _ in range(4)]
    done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    (error,) = (one.exception() for one in done)

    assert isinstance(error, FlickError)
    assert (error.kind, error.retry_after_s) == (Kind.RESOURCE_EXHAUSTED, 2.0)
    assert (inside, len(refused)) == (2, 1)

    leave.set()
    await asyncio.gather(*(one for one in calls if one not in done))

    assert inside == 3


async def test_a_call_that_is_cancelled_while_it_waits_leaves_its_place() -> None:
    gate = Gate(at_once=1, waiting=1, on_refused=lambda: None)

    async def wait_inside() -> None:
        async with gate.entered():
            await asyncio.sleep(60)

    calls = [asyncio.create_task(wait_inside()) for _ in range(2)]
    await asyncio.sleep(0)
    for one in calls:
        one.cancel()
    await asyncio.gather(*calls, return_exceptions=True)

    async with asyncio.timeout(5), gate.entered():
        pass
