"""An hour under load B with a fault every five minutes: is everything there, and does ingest stay as it is?

Beside what is measured now, every agent hands in samples of the last three hours, which ingest seals meanwhile. Within
the warm-up it also seals some full hours, as it does once when the clock's hour is over: what that needs once may stay.

`python -m tests.chaos.soak --minutes 60` prints what it found and writes build/soak.json.
"""

import argparse
import asyncio
import dataclasses
import itertools
import json
import logging
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flick.db.pool import open_pool
from flick.v1 import telemetry_pb2
from tests.chaos.checking.checker import Findings
from tests.chaos.house.stage import Stage, stage
from tests.chaos.house.vitals import Reading
from tests.chaos.load.samples import Instrument
from tests.deployables import ROOT
from tests.integration.ingest.sealing.hours import HOUR_NS, Writer

FAULT_EVERY_S = 300.0
WARM_UP_S = 600.0
GOAL_MIB_PER_H = 1.0
MIB = 2**20
PAST_S = 3 * 3600.0
SEAL_AFTER_S = 60  # so that an hour is sealed again and again, of which something still comes
FULL_HOURS = 10  # of a server each; they are sealed one after the other, so more would need no more
FULL_HOUR_AGO_S = 6 * 3600
FULL_HOUR_SAMPLES = 3600
WRITTEN_AT_ONCE = 100
BACK_WITHIN_S = 200.0  # the backoff's cap of 120 s, and the backlog

logger = logging.getLogger(__name__)


async def _kill_postmaster(on: Stage) -> None:
    await on.postgres.kill()
    await on.postgres.start()


async def _kill_backend(on: Stage) -> None:
    await on.postgres.kill_backend("flick-ingest")
    await on.postgres.process.becomes_ready()


async def _freeze_postgres(on: Stage) -> None:
    on.postgres.process.freeze()
    await asyncio.sleep(20)
    on.postgres.process.thaw()


async def _kill_redis(on: Stage) -> None:
    await on.redis.process.kill()
    await asyncio.sleep(5)
    await on.redis.start()


async def _tear_connections(on: Stage) -> None:
    on.proxy.reset()


async def _silence(on: Stage) -> None:
    on.proxy.link.silent = True
    await asyncio.sleep(40)  # both ends notice after 30 s
    on.proxy.link.silent = False


async def _take_auth_away(on: Stage) -> None:
    await on.auth_away(30)


async def _narrow_the_network(on: Stage) -> None:
    on.proxy.link.delay_s, on.proxy.link.rate_bytes_per_s = 0.2, 250_000
    await asyncio.sleep(30)
    on.proxy.link.delay_s, on.proxy.link.rate_bytes_per_s = 0.0, None


# None of them ends ingest: it is the growth of one process over the hour that is asked for. The one that needs the most
# memory, for everybody's backlog at once, comes first: what was needed once may stay, growth is what comes again.
FAULTS: Mapping[str, Callable[[Stage], Awaitable[None]]] = {
    "the network is silent for 40 s": _silence,
    "every connection is torn": _tear_connections,
    "kill -9 of a PostgreSQL backend": _kill_backend,
    "kill -9 of Redis, away for 5 s": _kill_redis,
    "PostgreSQL is frozen for 20 s": _freeze_postgres,
    "auth is away for 30 s": _take_auth_away,
    "kill -9 of the postmaster": _kill_postmaster,
    "200 ms delay and 2 Mbit/s for 30 s": _narrow_the_network,
}


@dataclass(kw_only=True)
class Report:
    """What a soak found.

    Attributes:
        faults: each fault and the seconds until every agent had acks again, None: too many.
        ingest: its readings.
        kept_mib: by how much it was larger after the warm-up, and with it the first fault, than before.
        slope_mib_per_h: how it grew from then on, see `Vitals`.
        peak_mib: the most that it was seen with from then on.
        load_average, load_average_at_most: of the machine, by whatever ran on it: the median, and the highest.
        sealed, blocks: samples that lay in sealed hours at the end, and in how many blocks.
    """

    agents: int
    minutes: float
    faults: list[tuple[str, float | None]] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    ingest: list[Reading] = field(default_factory=list)
    kept_mib: float = 0.0
    slope_mib_per_h: float = 0.0
    peak_mib: float = 0.0
    load_average: float = 0.0
    load_average_at_most: float = 0.0
    sealed: int = 0
    blocks: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is lost, everybody came back, and ingest does not grow."""
        all_back = all(back_s is not None for _, back_s in self.faults)
        return self.findings.clean and all_back and self.slope_mib_per_h < GOAL_MIB_PER_H

    def lines(self) -> list[str]:
        """For people."""
        first, last = self.ingest[0], self.ingest[-1]
        return [
            f"{self.agents} agents, {self.minutes:g} minutes",
            *(f"  {name}: {_told(back_s)}" for name, back_s in self.faults),
            f"  {self.findings}",
            f"  ingest: {first.rss_bytes / MIB:.1f} -> {last.rss_bytes / MIB:.1f} MiB, {first.fds} -> {last.fds} files",
            f"  {first.threads} -> {last.threads} threads, {self.slope_mib_per_h:+.2f} MiB/h; goal <{GOAL_MIB_PER_H:g}",
            f"  {self.peak_mib:.1f} MiB at most after the warm-up, which left {self.kept_mib:+.1f}",
            f"  {self.sealed} samples are sealed, in {self.blocks} blocks",
            f"  the machine's load average: {self.load_average:.1f}, at most {self.load_average_at_most:.1f}",
            "  kept every promise" if self.findings.clean else "  BROKE A PROMISE",
        ]

    def write(self, path: Path) -> None:
        """As JSON, with a reading of every ten seconds."""
        path.parent.mkdir(exist_ok=True)
        document = {
            **dataclasses.asdict(self),
            "ok": self.ok,
            "ingest": [dataclasses.asdict(one) for one in self.ingest[::10]],
        }
        path.write_text(json.dumps(document, indent=1) + "\n")


async def soak(
    *,
    agents: int,
    minutes: float,
    fault_every_s: float,
    warm_up_s: float,
    folder: Path,
    faults: Sequence[str] = tuple(FAULTS),
    full_hours: int = FULL_HOURS,
    seed: int = 1,
) -> Report:
    """Run it. A fault that comes when less than `fault_every_s` seconds are left is not begun."""
    report = Report(agents=agents, minutes=minutes)
    async with stage(agents=agents, folder=folder, seed=seed, past_s=PAST_S, seal_after_s=SEAL_AFTER_S) as on:
        await _write_full_hours(on, full_hours)
        began_s = time.monotonic()
        ends_s = began_s + 60 * minutes
        for name in itertools.cycle(faults):
            await asyncio.sleep(min(fault_every_s, ends_s - time.monotonic()))
            if ends_s - time.monotonic() < fault_every_s:
                break
            fault_s = time.monotonic()
            await FAULTS[name](on)
            report.faults.append((name, await _back_s(on, fault_s)))
            logger.info("%s: %s", name, _told(report.faults[-1][1]))
        await asyncio.sleep(max(0.0, ends_s - time.monotonic()))
        report.ingest = list(on.vitals.readings["ingest"])
        report.kept_mib = on.vitals.mean_mib("ingest", around_s=warm_up_s) - on.vitals.mean_mib(
            "ingest", around_s=fault_every_s
        )
        report.slope_mib_per_h = on.vitals.slope_mib_per_h("ingest", after_s=warm_up_s)
        report.peak_mib = on.vitals.peak_rss_mib("ingest", after_s=warm_up_s)
        report.load_average, report.load_average_at_most = statistics.median(on.vitals.loads), max(on.vitals.loads)
        await on.load.settle()
        report.findings = await on.findings()
        report.sealed, report.blocks = await on.sealed()
        assert on.ingest.starts == 1, "ingest died"
    return report


async def _write_full_hours(on: Stage, count: int) -> None:
    """Past hours as full as the one that is now, of servers that nobody checks."""
    instrument = Instrument(rng=random.Random(count))
    hour_us = int((time.time() - FULL_HOUR_AGO_S) // 3600) * 3600 * 10**6
    url = on.postgres.server.url(database=on.database, role="flick_ingest")
    async with open_pool(url, application_name="test") as pool:
        for writer in [Writer(pool=pool) for _ in range(count)]:
            for first in range(0, FULL_HOUR_SAMPLES, WRITTEN_AT_ONCE):
                measured = [
                    instrument.measure(hour_us + number * 10**6) for number in range(first, first + WRITTEN_AT_ONCE)
                ]
                samples = [telemetry_pb2.Sample.FromString(one.payload) for one in measured]
                await writer.write(samples, received_ns=hour_us * 1000 + HOUR_NS)


async def _back_s(on: Stage, fault_s: float) -> float | None:
    try:
        return await on.load.all_acked_again(since_s=fault_s, within_s=BACK_WITHIN_S)
    except TimeoutError:
        return None


def _told(back_s: float | None) -> str:
    if back_s is None:
        return f"some agent had no ack within {BACK_WITHIN_S:g} s"
    return f"every agent has acks again after {back_s:.1f} s"


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (default 60)")
    parser.add_argument("--agents", type=int, default=200, help="how many (default 200)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with tempfile.TemporaryDirectory(prefix="flick-soak-") as folder:
        report = asyncio.run(
            soak(
                agents=arguments.agents,
                minutes=arguments.minutes,
                fault_every_s=FAULT_EVERY_S,
                warm_up_s=min(WARM_UP_S, 60 * arguments.minutes / 3),
                folder=Path(folder),
            )
        )
    report.write(ROOT / "build/soak.json")
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
