"""When samples are taken, stored and shown."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.collection import Collection
from agent.collectors.collector import Measured, Moment, SeriesKey
from agent.sampler.orders import Orders, Wanted
from agent.sampler.sampler import Sampler
from agent.sampler.timeline import Timeline
from agent.spool.frame import BACKFILL, Entry, Loss
from agent.spool.lanes.memory import MemorySpool
from flick.v1 import catalog_pb2, ingest_pb2, servers_pb2, telemetry_pb2
from tests.unit.agent.clock import HandClock, settle

S = 1_000_000_000
EPOCH_S = 1_790_000_000


class Counting:
    """A collector of one rate that tells how long ago it was asked before."""

    name = "counting"

    def __init__(self) -> None:
        self.before: float | None = None
        self.series: tuple[SeriesKey, ...] = ((500, ("0",)),)

    def collect(self, moment: Moment) -> Measured:
        passed = moment.monotonic_s - self.before if self.before is not None else float("nan")
        self.before = moment.monotonic_s
        return Measured(core={catalog_pb2.METRIC_LOAD_1M: passed}, series=self.series, values=[1.0] * len(self.series))

    def close(self) -> None:
        self.before = None


class Bench:
    """A sampler on a hand-turned clock, and what it gave."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.timeline = Timeline(clock=clock, boot_id="boot")
        self.orders = Orders()
        self.spool = MemorySpool(spool_id=uuid.uuid4())
        self.spool.begin(self.timeline.mark)
        self.losses: list[Loss] = []
        self.live: list[telemetry_pb2.Sample] = []
        self.opened: list[Wanted] = []
        self.collectors: list[Counting] = []
        self.sampler = Sampler(
            clock=clock,
            timeline=self.timeline,
            orders=self.orders,
            spool=self.spool,
            open_collection=self._open,
            on_stored=lambda: None,
            on_live=lambda sample, _: self.live.append(sample),
        )

    def _open(self, wanted: Wanted) -> Collection:
        self.opened.append(wanted)
        self.collectors.append(Counting())
        return Collection(collectors=[self.collectors[-1]])

    def stored(self) -> Sequence[telemetry_pb2.Sample]:
        """Everything that waits, in the order of time; it leaves the spool."""
        self.spool.demote()
        found = []
        seq = self.spool.position(BACKFILL)
        while (frame := self.spool.frame(BACKFILL, seq)) is not None:
            found += [_sample(entry) for entry in frame.entries]
            self.losses += [frame.loss] if frame.loss is not None else []
            self.spool.ack(BACKFILL, seq)
            seq += 1
        return sorted(found, key=lambda sample: sample.time_unix_nano)

    def welcome(self, server_ns: int) -> None:
        """What a Welcome does."""
        moved = self.timeline.correct(server_time_ns=server_ns)
        self.spool.settle(self.timeline.mark, moved_ns=moved, now_ns=max(server_ns, self.timeline.last_ns + 1))
        if moved:
            self.timeline.last_ns = self.spool.last_ns
        self.orders.clock_moved()


def _sample(entry: Entry) -> telemetry_pb2.Sample:
    sample = telemetry_pb2.Sample.FromString(entry.payload)
    sample.time_unix_nano, sample.layout_id = entry.time_ns, entry.layout_id
    return sample


@asynccontextmanager
async def running(clock: HandClock | None = None) -> AsyncIterator[Bench]:
    bench = Bench(clock or HandClock(wall_ns=EPOCH_S * S + S // 4))
    task = asyncio.create_task(bench.sampler.run())
    await settle()
    try:
        yield bench
    finally:
        task.cancel()
        await asyncio.wait([task])


def seconds(samples: Sequence[telemetry_pb2.Sample]) -> list[float]:
    return [sample.time_unix_nano / S - EPOCH_S for sample in samples]


def watched(*, enabled: bool = True) -> ingest_pb2.LiveMode:
    return ingest_pb2.LiveMode(enabled=enabled, interval=Duration(seconds=1))


async def test_samples_are_stored_every_five_seconds_on_the_grid() -> None:
    async with running() as bench:
        await bench.clock.advance(21)

        assert seconds(bench.stored()) == [5, 10, 15, 20]


async def test_the_first_sample_has_rates_already() -> None:
    async with running() as bench:
        await bench.clock.advance(6)

        assert bench.stored()[0].core[catalog_pb2.METRIC_LOAD_1M - 1] == pytest.approx(4.75)


async def test_a_grid_moment_right_after_the_start_is_passed_over() -> None:
    async with running(HandClock(wall_ns=EPOCH_S * S + round(4.8 * S))) as bench:
        await bench.clock.advance(6)

        assert seconds(bench.stored()) == [10]


async def test_watching_adds_samples_every_second_and_changes_nothing_that_is_stored() -> None:
    async with running() as bench:
        await bench.clock.advance(6)
        bench.orders.live_mode(watched())
        await bench.clock.advance(10)
        bench.orders.live_mode(watched(enabled=False))
        await bench.clock.advance(5)
        stored = bench.stored()

        assert seconds(stored) == [5, 10, 15, 20]
        assert [sample.core[7] for sample in stored] == pytest.approx([4.75, 5, 5, 5])
        assert seconds(bench.live) == [7, 8, 9, 11, 12, 13, 14, 16]
        assert [sample.core[7] for sample in bench.live] == pytest.approx([0.75, 1, 1, 1, 1, 1, 1, 1])


async def test_the_first_sample_for_viewers_does_not_come_too_soon_for_rates() -> None:
    async with running() as bench:
        await bench.clock.advance(6.5)
        bench.orders.live_mode(watched())
        await bench.clock.advance(2)

        assert seconds(bench.live) == [8]
        assert bench.live[0].core[7] == pytest.approx(1.25)


async def test_a_changed_interval_counts_at_once() -> None:
    async with running() as bench:
        await bench.clock.advance(6)
        bench.orders.settings(
            servers_pb2.ServerSettings(
                metric_interval=Duration(seconds=2), processes_enabled=True, process_commands_enabled=True
            )
        )
        await bench.clock.advance(5)

        assert seconds(bench.stored()) == [5, 8, 10]


async def test_settings_without_processes_open_another_set_of_collectors() -> None:
    async with running() as bench:
        bench.orders.settings(servers_pb2.ServerSettings(metric_interval=Duration(seconds=5)))
        await bench.clock.advance(6)

        assert [(wanted.processes, wanted.commands) for wanted in bench.opened] == [(True, True), (False, False)]
        assert seconds(bench.stored()) == [5]


async def test_a_wall_clock_that_is_stepped_moves_no_sample() -> None:
    async with running() as bench:
        await bench.clock.advance(6)
        bench.clock.step_wall(-3600)
        await bench.clock.advance(5)
        bench.clock.step_wall(7200)
        await bench.clock.advance(5)

        assert seconds(bench.stored()) == [5, 10, 15]


@pytest.mark.parametrize("wrong_by_s", [-86400.0, -3600.0, 3600.0, 86400.0])
async def test_samples_taken_by_a_wrong_clock_are_moved_to_ingests_time_at_the_first_welcome(wrong_by_s: float) -> None:
    async with running(HandClock(wall_ns=round((EPOCH_S + wrong_by_s) * S) + S // 4)) as bench:
        await bench.clock.advance(12)
        bench.welcome(EPOCH_S * S + round(12.25 * S))
        await bench.clock.advance(10)

        assert seconds(bench.stored()) == [5, 10, 15, 20]


async def test_when_ingests_time_goes_back_later_no_sample_repeats_a_time() -> None:
    async with running() as bench:
        bench.welcome(EPOCH_S * S + S // 4)
        await bench.clock.advance(11)
        bench.welcome(EPOCH_S * S + 2 * S)
        await bench.clock.advance(20)

        assert seconds(bench.stored()) == [5, 10, 15, 20]


async def test_a_layout_is_made_when_the_set_of_series_changes() -> None:
    async with running() as bench:
        await bench.clock.advance(11)
        bench.collectors[0].series = ((500, ("0",)), (500, ("1",)))
        await bench.clock.advance(10)
        layouts = [sample.layout_id for sample in bench.stored()]

        assert layouts[0] == layouts[1] != layouts[2] == layouts[3]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.floats(0.1, 30)),
        st.tuples(st.just("step wall"), st.floats(-1e6, 1e6)),
        st.tuples(st.just("welcome"), st.floats(-100, 100)),
        st.tuples(st.just("watch"), st.sampled_from([0.0, 1.0])),
        st.tuples(st.just("interval"), st.sampled_from([1.0, 5.0, 7.0])),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(steps=STEPS)
def test_sample_times_strictly_increase_whatever_clocks_and_orders_do(steps: list[tuple[str, float]]) -> None:
    async def history() -> tuple[list[int], list[int]]:
        welcomed = False
        async with running() as bench:
            for kind, value in steps:
                if kind == "pass":
                    await bench.clock.advance(value)
                elif kind == "step wall":
                    bench.clock.step_wall(value)
                elif kind == "welcome":
                    welcomed = True
                    bench.welcome(bench.timeline.now_ns() + round(value * S))
                elif kind == "watch" and welcomed:  # live mode comes with a Welcome or after it
                    bench.orders.live_mode(watched(enabled=bool(value)))
                elif kind == "interval":
                    bench.orders.settings(servers_pb2.ServerSettings(metric_interval=Duration(seconds=int(value))))
            await bench.clock.advance(8)
            return [sample.time_unix_nano for sample in bench.stored()], [s.time_unix_nano for s in bench.live]

    stored, live = asyncio.run(history())

    assert all(earlier < later for earlier, later in itertools.pairwise(stored))
    assert all(earlier < later for earlier, later in itertools.pairwise(live))
    assert not set(stored) & set(live)
