"""Moments without a sample are told: the agent was stopped, asleep or late. A corrected clock is none of these."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from google.protobuf.duration_pb2 import Duration

from agent.collection import Collection
from agent.sampler.orders import Orders, Wanted
from agent.sampler.sampler import Sampler
from agent.sampler.timeline import Timeline
from agent.spool.epochs import Mark
from agent.spool.frame import LIVE
from agent.spool.lanes.laned import LanedSpool
from agent.spool.limits import SpoolLimits
from flick.v1 import ingest_pb2
from flick.v1.servers_pb2 import ServerSettings
from tests.unit.agent.clock import HandClock, settle
from tests.unit.agent.spool.spools import S, in_memory, span

START_S = 1_790_000_000
STOPPED = ingest_pb2.GAP_REASON_AGENT_STOPPED
OVERLOADED = ingest_pb2.GAP_REASON_OVERLOADED


class Run:
    """A run of the agent: a sampler over a spool and a clock that outlive it."""

    def __init__(self, *, clock: HandClock, spool: LanedSpool, boot_id: str = "boot") -> None:
        self.clock = clock
        self.spool = spool
        self.timeline = Timeline(clock=clock, boot_id=boot_id, mark=spool.mark, last_ns=spool.last_ns)
        spool.begin(self.timeline.mark)
        self.orders = Orders(known=spool.settings, keep=spool.keep_settings)
        self.slow_s = 0.0
        self.sampler = Sampler(
            clock=clock,
            timeline=self.timeline,
            orders=self.orders,
            spool=spool,
            open_collection=self._open,
            on_stored=lambda: None,
            on_live=lambda sample, layout: None,
        )

    def _open(self, wanted: Wanted) -> Collection:
        return _Slow(self)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.sampler.run())
        await settle()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def measure(self, for_s: float) -> None:
        async with self.running():
            await self.clock.advance(for_s)

    def welcome(self, ahead_s: float) -> None:
        """Ingest's clock differs by so much."""
        server_ns = self.timeline.now_ns() + round(ahead_s * S)
        moved = self.timeline.correct(server_time_ns=server_ns)
        self.spool.settle(self.timeline.mark, moved_ns=moved, now_ns=server_ns)
        if moved:
            self.timeline.last_ns = self.spool.last_ns
        self.orders.clock_moved()

    def times(self) -> list[float]:
        return [entry.time_ns / S - START_S for entry in self.spool.everything()]

    def gaps(self) -> list[tuple[int, float, float]]:
        """Reason, start and end of each."""
        told = [(loss.reason, *span(loss)) for loss in self.spool.losses()]
        return [(reason, start - START_S, end - START_S) for reason, start, end, _ in told]


class _Slow(Collection):
    """Measures nothing, as slowly as the test wants."""

    def __init__(self, run: Run) -> None:
        super().__init__(collectors=[])
        self._run = run

    def collect(self, moment: object) -> object:  # type: ignore[override]
        self._run.clock.pass_by(self._run.slow_s)
        return super().collect(moment)  # type: ignore[arg-type]


@pytest.fixture
def clock() -> HandClock:
    return HandClock(wall_ns=START_S * S + S // 4)


@pytest.fixture
def spool() -> LanedSpool:
    return in_memory(SpoolLimits())


async def test_a_restart_within_a_boot_goes_on_exactly_whatever_the_wall_clock_says(
    clock: HandClock, spool: LanedSpool
) -> None:
    first = Run(clock=clock, spool=spool)
    first.welcome(0.0)
    await first.measure(11)
    clock.step_wall(-86_400)
    await clock.advance(60)
    second = Run(clock=clock, spool=spool)
    await second.measure(10)

    assert second.times() == [5, 10, 75, 80]
    assert second.gaps() == [(STOPPED, 15, 75)]


@pytest.mark.parametrize(
    ("down_s", "times", "gaps"),
    [
        (3.2, [5, 10, 15], []),
        (3.3, [5, 10, 20], [(STOPPED, 15, 20)]),
        (5.0, [5, 10, 20], [(STOPPED, 15, 20)]),
        (8.3, [5, 10, 25], [(STOPPED, 15, 25)]),
    ],
)
async def test_a_restart_tells_every_moment_that_it_missed(
    clock: HandClock, spool: LanedSpool, down_s: float, times: list[float], gaps: list[tuple[int, float, float]]
) -> None:
    await Run(clock=clock, spool=spool).measure(11)
    await clock.advance(down_s)
    again = Run(clock=clock, spool=spool)
    await again.measure(7)

    assert again.times()[: len(times)] == times
    assert again.gaps() == gaps


async def test_a_restart_goes_by_the_interval_that_the_server_had(clock: HandClock, spool: LanedSpool) -> None:
    before = Run(clock=clock, spool=spool)
    before.orders.settings(_every(60))
    await before.measure(61)
    await clock.advance(20)
    soon = Run(clock=clock, spool=spool)
    await soon.measure(40)
    no_gaps = soon.gaps()
    await clock.advance(70)
    late = Run(clock=clock, spool=spool)
    await late.measure(60)

    assert no_gaps == []
    assert late.times() == [40, 100, 220]
    assert late.gaps() == [(STOPPED, 160, 220)]


async def test_settings_that_change_at_the_first_welcome_make_no_gap(clock: HandClock, spool: LanedSpool) -> None:
    await Run(clock=clock, spool=spool).measure(11)
    again = Run(clock=clock, spool=spool)
    async with again.running():
        again.orders.settings(_every(60))
        await clock.advance(60)

    assert again.times() == [5, 10, 40]
    assert again.gaps() == []


async def test_a_clock_corrected_at_the_first_welcome_moves_the_gap_with_the_samples(
    clock: HandClock, spool: LanedSpool
) -> None:
    await Run(clock=clock, spool=spool).measure(11)
    await clock.advance(20)
    again = Run(clock=clock, spool=spool)
    async with again.running():
        again.welcome(3600)
        await clock.advance(10)

    assert again.times() == [3605, 3610, 3635, 3640]
    assert again.gaps() == [(STOPPED, 3615, 3635)]


@pytest.mark.parametrize("wrong_by_s", [-86_400.0, -3600.0, 0.0, 3600.0, 86_400.0])
async def test_over_a_reboot_with_a_wrong_clock_times_come_right_and_the_gap_is_told(
    spool: LanedSpool, wrong_by_s: float
) -> None:
    before = Run(clock=HandClock(wall_ns=START_S * S + S // 4), spool=spool)
    before.welcome(0.0)
    await before.measure(11)
    down_s = 600
    wall_ns = (START_S + down_s) * S + S // 4 + round(wrong_by_s * S)
    after = Run(clock=HandClock(wall_ns=wall_ns, boottime_s=20.0), spool=spool, boot_id="next")
    async with after.running():
        await after.clock.advance(11)
        provisional = after.times()
        after.welcome(START_S + down_s + 11.25 - after.timeline.now_ns() / S)
        await after.clock.advance(10)
    times = after.times()

    assert len(provisional) == 4
    assert provisional == sorted(set(provisional))
    assert times[:2] == [5, 10]
    assert times[2:] == pytest.approx([605, 610, 615, 620], abs=5)
    assert [(reason, start) for reason, start, _ in after.gaps()] == [(STOPPED, 10)]
    assert after.gaps()[0][2] == pytest.approx(times[2], abs=0.01)


async def test_samples_go_on_at_once_when_the_clock_was_set_back_a_day_while_the_system_was_down(
    spool: LanedSpool,
) -> None:
    await Run(clock=HandClock(wall_ns=START_S * S), spool=spool).measure(11)
    back = HandClock(wall_ns=(START_S - 86_400) * S, boottime_s=20.0)
    after = Run(clock=back, spool=spool, boot_id="next")
    await after.measure(16)

    assert len(after.times()) >= 4


async def test_a_process_that_was_stopped_for_a_while_tells_what_it_missed(clock: HandClock, spool: LanedSpool) -> None:
    run = Run(clock=clock, spool=spool)
    async with run.running():
        await clock.advance(11)
        clock.pass_by(30)
        await clock.advance(10)

    assert run.times() == [5, 10, 45, 50]
    assert run.gaps() == [(OVERLOADED, 15, 45)]


async def test_a_measurement_that_takes_longer_than_the_interval_tells_what_it_missed(
    clock: HandClock, spool: LanedSpool
) -> None:
    run = Run(clock=clock, spool=spool)
    async with run.running():
        await clock.advance(6)
        run.slow_s = 6.5
        await clock.advance(5)
        run.slow_s = 0.0
        await clock.advance(10)

    assert run.times() == [5, 10, 20]
    assert run.gaps() == [(OVERLOADED, 15, 20)]


async def test_a_corrected_clock_and_a_changed_interval_are_no_gaps(clock: HandClock, spool: LanedSpool) -> None:
    run = Run(clock=clock, spool=spool)
    run.welcome(0.0)
    async with run.running():
        await clock.advance(6)
        run.welcome(100.0)
        await clock.advance(6)
        run.orders.settings(_every(7))
        await clock.advance(20)

    assert len(run.times()) >= 4
    assert run.gaps() == []


async def test_an_earlier_boots_uncorrected_samples_make_room_for_the_corrected_ones(spool: LanedSpool) -> None:
    ahead = Run(clock=HandClock(wall_ns=(START_S + 86_400) * S), spool=spool)
    await ahead.measure(21)
    after = Run(clock=HandClock(wall_ns=(START_S + 100) * S, boottime_s=9.0), spool=spool, boot_id="next")
    after.welcome(START_S + 100 - after.timeline.now_ns() / S)
    await after.measure(11)
    times = after.times()

    assert times == sorted(set(times))
    assert times[-2:] == [105, 110]
    assert times[3] < 105


async def test_the_mark_is_kept_so_that_the_next_run_is_of_ingests_time(clock: HandClock, spool: LanedSpool) -> None:
    run = Run(clock=clock, spool=spool)
    run.welcome(3600.0)
    again = Timeline(clock=clock, boot_id="boot", mark=spool.mark, last_ns=spool.last_ns)

    assert again.mark == run.timeline.mark == replace(run.timeline.mark, corrected=True)
    assert isinstance(spool.mark, Mark)
    assert again.now_ns() == run.timeline.now_ns()
    assert spool.frame(LIVE, 1) is None


def _every(seconds: int) -> ServerSettings:
    return ServerSettings(
        metric_interval=Duration(seconds=seconds), processes_enabled=True, process_commands_enabled=True
    )
