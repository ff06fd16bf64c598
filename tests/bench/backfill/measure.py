"""How late 1,000 servers are while 100 others hand in a day that they missed.

All of them are the real agent but for measuring: its spool, its frames, its pace, its credits, its spread. The 1,000
send a sample every 5 s each, 200 samples a second together; so do the 100, beside their backlog, once they are back.
Ingest seals, rolls up and expires meanwhile as always, but seals an hour after less quiet, so that it has what to do.

A live lag is from a sample's time to its ack, with the second at most that an agent waits on purpose; what is told as
`ack` begins when the sample is to be sent, and stands beside that of the same agents before the others came back.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from flick.lifecycle import raise_file_limit
from tests.bench.backfill.load import BackfillLoad, Kept, Lags, backfill_load
from tests.bench.ingest.server import Costs, IngestServer, ingest_server
from tests.bench.result import Result
from tests.bench.storage.day import DAY_SAMPLES, INTERVAL_S
from tests.chaos.checking.stored import read_stored

LIVE = 1_000
RETURNING = 100
GOAL_S = 5.0
WARM_S = 15.0  # every agent has sent three samples, and what it sends once
SEAL_AFTER_S = 10
AT_MOST = 5  # times the steady seconds, so 5 minutes by default: how much of the backlog was sent by then is told
CHECKED = 10  # of the returning servers
LOOK_EVERY_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What was found in a span. `costs` are processor time in seconds, `load_cpu_s` is that of the agents."""

    seconds: float
    lags: Lags
    costs: Costs
    load_cpu_s: float


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """What was found while the backlog came in: samples of it that are acked, and samples that were sealed."""

    acked: int
    sealed: int
    phase: Phase
    returning: Lags


async def measure(seconds: float) -> list[Result]:
    """Live lag without and with the backfill, its rate, and what everything costs."""
    raise_file_limit()
    environment = {"FLICK_INGEST_SEAL_AFTER_S": str(SEAL_AFTER_S)}
    async with ingest_server(streams=LIVE + RETURNING, environment=environment) as server:
        async with backfill_load(server.address, keys=server.keys[:LIVE], backlog=0) as live:
            await live.begin()
            await asyncio.sleep(WARM_S)
            alone = await _alone(server, live, seconds)
            async with backfill_load(server.address, keys=server.keys[LIVE:], backlog=DAY_SAMPLES) as returning:
                found = await _backfill(server, live, returning, at_most_s=AT_MOST * seconds)
                kept = await returning.end()
        await _check(server, kept)
    return [*_lags(alone, found), *_rates(alone, found)]


async def _alone(server: IngestServer, live: BackfillLoad, seconds: float) -> Phase:
    span = await _Span.begin(server, [live])
    await asyncio.sleep(seconds)
    return await span.end(live)


async def _backfill(server: IngestServer, live: BackfillLoad, returning: BackfillLoad, *, at_most_s: float) -> Backfill:
    span = await _Span.begin(server, [live, returning])
    await returning.begin()
    acked = 0
    while acked < RETURNING * DAY_SAMPLES and span.passed_s < at_most_s:
        await asyncio.sleep(LOOK_EVERY_S)
        acked = (await returning.told()).backlog_acked
    phase = await span.end(live)
    sealed = int(await server.database.fetchval("select coalesce(sum(count), 0) from telemetry.sealed_metrics"))
    lags = await returning.lags(start_ns=span.start_ns, end_ns=span.end_ns)
    return Backfill(acked=acked, sealed=sealed, phase=phase, returning=lags)


class _Span:
    """From a moment on."""

    def __init__(self, server: IngestServer, loads: Sequence[BackfillLoad], costs: Costs, load_cpu_s: float) -> None:
        self._server = server
        self._loads = loads
        self._costs = costs
        self._load_cpu_s = load_cpu_s
        self._began_s = time.monotonic()
        self.start_ns = self.end_ns = time.time_ns()

    @classmethod
    async def begin(cls, server: IngestServer, loads: Sequence[BackfillLoad]) -> "_Span":
        """Now."""
        return cls(server, loads, await server.costs(), await cls._cpu_s(loads))

    @property
    def passed_s(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self._began_s

    async def end(self, live: BackfillLoad) -> Phase:
        """Up to now; the lags are those of `live`."""
        seconds, self.end_ns = self.passed_s, time.time_ns()
        costs = await self._server.costs() - self._costs
        load_cpu_s = await self._cpu_s(self._loads) - self._load_cpu_s
        lags = await live.lags(start_ns=self.start_ns, end_ns=self.end_ns)
        assert len(lags.lag_ms) >= LIVE * (seconds / INTERVAL_S - 1), "not every agent has sent what it should"
        return Phase(seconds=seconds, lags=lags, costs=costs, load_cpu_s=load_cpu_s)

    @staticmethod
    async def _cpu_s(loads: Sequence[BackfillLoad]) -> float:
        return sum([(await load.told()).cpu_s for load in loads])


async def _check(server: IngestServer, kept: Kept) -> None:
    """What was acked of some of the returning servers is stored, once, and nothing else."""
    servers = zip(server.server_ids[LIVE:][:CHECKED], kept.acked, kept.taken, strict=False)
    for server_id, acked, taken in servers:
        stored = await read_stored(server.database, server_id)
        assert not stored.duplicated, f"{stored.duplicated} samples of {server_id} are stored twice"
        assert acked <= len(stored.checksums) <= taken, f"of {taken} {acked} were acked, {len(stored.checksums)} stored"


def _lags(alone: Phase, found: Backfill) -> list[Result]:
    lag, ack, ack_alone = found.phase.lags.lag_ms, found.phase.lags.ack_ms, alone.lags.ack_ms
    returning = _percentile(found.returning.lag_ms, 99)
    return [
        Result(name="backfill_live_lag_p99", value=_percentile(lag, 99) / 1e3, unit="s", goal=GOAL_S),
        Result(name="backfill_live_lag_p50", value=_percentile(lag, 50) / 1e3, unit="s"),
        Result(name="backfill_live_lag_max", value=max(lag) / 1e3, unit="s"),
        Result(name="backfill_live_ack_p99", value=_percentile(ack, 99), ceiling=_percentile(ack_alone, 99), unit="ms"),
        Result(name="backfill_live_ack_p50", value=_percentile(ack, 50), ceiling=_percentile(ack_alone, 50), unit="ms"),
        Result(name="backfill_live_ack_max", value=max(ack), ceiling=max(ack_alone), unit="ms"),
        Result(name="backfill_returning_lag_p99", value=returning / 1e3, unit="s"),
    ]


def _rates(alone: Phase, found: Backfill) -> list[Result]:
    phase = found.phase
    results = [
        Result(name="backfill_seconds", value=phase.seconds, unit="s"),
        Result(name="backfill_sent", value=found.acked / (RETURNING * DAY_SAMPLES) * 100, unit="%"),
        Result(name="backfill_rate", value=found.acked / phase.seconds, unit="1/s"),
        Result(name="backfill_sealed_rate", value=found.sealed / phase.seconds, unit="1/s"),
    ]
    for name in ("ingest", "postgres", "redis"):
        value, ceiling = (getattr(one.costs, name) / one.seconds for one in (phase, alone))
        results.append(Result(name=f"backfill_cpu.{name}", value=value, ceiling=ceiling, unit="cores"))
    load, load_alone = (one.load_cpu_s / one.seconds for one in (phase, alone))
    return [*results, Result(name="backfill_cpu.agents", value=load, ceiling=load_alone, unit="cores")]


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]
