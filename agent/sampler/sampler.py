"""Takes samples on the grid, and while somebody watches also between."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from agent.collection import Collection, Readings
from agent.collectors.collector import Moment
from agent.collectors.failure import Failure
from agent.sampler.grid import Tick, multiple_after, next_tick
from agent.sampler.holes import TOO_LATE_S, Holes
from agent.sampler.orders import Orders, Wanted
from agent.sampler.timeline import Timeline
from agent.spool.frame import Entry
from agent.spool.spool import Spool
from flick.clock import Clock
from flick.v1 import telemetry_pb2

_NS = 1_000_000_000
_FIRST_RATE_NS = _NS // 2  # rates over less than half a second tell little
_TOO_LATE_NS = round(TOO_LATE_S * _NS)

logger = logging.getLogger(__name__)

Open = Callable[[Wanted], Collection]
Show = Callable[[telemetry_pb2.Sample, telemetry_pb2.Layout | None], None]


class Sampler:
    """Runs until it is cancelled.

    Stored samples and those for viewers come from two sets of collectors, so that watching a server changes nothing of
    what is stored: a stored rate is always that of the whole interval.

    Args:
        open_collection: makes a set of collectors.
        on_stored: called after a sample was put into the spool.
        on_live: called with each sample that is for viewers only, and its layout if it has one.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        timeline: Timeline,
        orders: Orders,
        spool: Spool,
        open_collection: Open,
        on_stored: Callable[[], None],
        on_live: Show,
    ) -> None:
        self._clock = clock
        self._timeline = timeline
        self._orders = orders
        self._spool = spool
        self._open_collection = open_collection
        self._on_stored = on_stored
        self._on_live = on_live
        self._holes = Holes(clock=clock, timeline=timeline, spool=spool)
        self._stored: Collection | None = None
        self._live: Collection | None = None
        self._live_from_ns = 0
        self._wanted: Wanted | None = None

    @property
    def failing(self) -> Sequence[Failure]:
        """The collectors that could not measure for the last sample that was stored."""
        return () if self._stored is None else self._stored.failing

    async def run(self) -> None:
        """Take samples until cancelled."""
        try:
            self._follow_orders()
            from_ns = self._timeline.now_ns() + _FIRST_RATE_NS
            self._holes.begin(from_ns=from_ns, interval_ns=self._orders.wanted.interval_s * _NS)
            self._timeline.last_ns = max(self._timeline.last_ns, from_ns)
            while True:
                self._holes.look()
                tick = self._next_tick()
                if not self._holes.expecting:
                    self._holes.expect(self._stored_after(max(self._timeline.now_ns(), self._timeline.last_ns)))
                await self._wait_until(tick.time_ns)
                if self._orders.changed.is_set():
                    self._holes.forget()
                self._orders.changed.clear()
                self._follow_orders()
                if 0 <= self._timeline.now_ns() - tick.time_ns < _TOO_LATE_NS and tick == self._next_tick(tick):
                    self._take(tick)
        finally:
            self._close()

    def _next_tick(self, from_tick: Tick | None = None) -> Tick:
        """The next moment from now on, or, when one is given, from just before it."""
        wanted = self._orders.wanted
        live_s = wanted.live_interval_s
        return next_tick(
            now_ns=self._timeline.now_ns() if from_tick is None else from_tick.time_ns - 1,
            last_ns=self._timeline.last_ns,
            interval_ns=wanted.interval_s * _NS,
            live_interval_ns=None if live_s is None else round(live_s * _NS),
        )

    def _stored_after(self, time_ns: int) -> int:
        return multiple_after(time_ns, self._orders.wanted.interval_s * _NS)

    async def _wait_until(self, time_ns: int) -> None:
        """Wait for a moment of the timeline, or until orders change."""
        left_s = (time_ns - self._timeline.now_ns()) / _NS
        waits = [
            asyncio.ensure_future(self._clock.sleep(max(0.0, left_s))),
            asyncio.ensure_future(self._orders.changed.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _follow_orders(self) -> None:
        """Have the sets of collectors that are wanted, each asked once, so that its next answer has rates."""
        wanted, before = self._orders.wanted, self._wanted
        self._wanted = wanted
        if before is None or (wanted.processes, wanted.commands) != (before.processes, before.commands):
            self._close()
        if self._stored is None:
            self._stored = self._open(wanted)
        if wanted.live_interval_s is None and self._live is not None:
            self._live.close()
            self._live = None
        if wanted.live_interval_s is not None and self._live is None:
            self._live = self._open(wanted)
            self._live_from_ns = self._timeline.now_ns() + _FIRST_RATE_NS

    def _open(self, wanted: Wanted) -> Collection:
        collection = self._open_collection(wanted)
        collection.collect(self._moment())
        return collection

    def _take(self, tick: Tick) -> None:
        moment = self._moment()
        watched = self._live is not None and tick.time_ns >= self._live_from_ns
        live = self._live.collect(moment) if self._live is not None and watched else None
        self._timeline.last_ns = tick.time_ns
        if tick.stored and self._stored is not None:
            self._holes.expect(self._stored_after(tick.time_ns))
            self._keep(tick.time_ns, self._stored.collect(moment))
        elif live is not None:
            self._show(tick.time_ns, live)

    def _keep(self, time_ns: int, readings: Readings) -> None:
        payload = self._sample(readings).SerializeToString()
        self._spool.put(Entry(time_ns, self._spool.layout_id(readings.series), payload))
        self._on_stored()

    def _show(self, time_ns: int, readings: Readings) -> None:
        sample = self._sample(readings)
        sample.time_unix_nano = time_ns
        sample.layout_id = self._spool.layout_id(readings.series)
        self._on_live(sample, self._spool.layout(sample.layout_id) if sample.layout_id else None)

    def _sample(self, readings: Readings) -> telemetry_pb2.Sample:
        return telemetry_pb2.Sample(core=readings.core, labelled=readings.values, processes=readings.processes)

    def _moment(self) -> Moment:
        return Moment(monotonic_s=self._clock.monotonic_s(), boottime_s=self._clock.boottime_s())

    def _close(self) -> None:
        for collection in (self._stored, self._live):
            if collection is not None:
                collection.close()
        self._stored = self._live = None
