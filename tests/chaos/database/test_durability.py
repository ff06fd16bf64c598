"""Commits that are not durable: ingest acks none of them, and an ingest that did so would be found out."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.faults.own_postgres import OwnPostgres
from tests.chaos.house.pipeline import Pipeline, pipeline
from tests.chaos.load import under_load
from tests.report import report
from tests.waiting import eventually

# Loss made likely: what commits say is done stays in shared memory as long as PostgreSQL's settings allow.
CARELESS = {"synchronous_commit": "off", "wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"}


async def test_nothing_is_acked_until_commits_are_durable_again(
    mortal_postgres: OwnPostgres, mortal_telemetry: str, redis_url: str, tmp_path: Path
) -> None:
    settings, seen = ("synchronous_commit", "fsync"), []
    await mortal_postgres.process.stop()
    await mortal_postgres.start(**{settings[0]: "off"})
    async with pipeline(
        postgres=mortal_postgres.server, database=mortal_telemetry, redis_url=redis_url, folder=tmp_path
    ) as line:
        async with under_load(line.agents):
            seen.append(await _refused(line))
            await mortal_postgres.process.stop()
            await mortal_postgres.start(**{settings[1]: "off"})
            seen.append(await _refused(line))
            await mortal_postgres.heal()
            await line.flows()
        findings = await line.findings()
    said = " ".join(record["why"] for record in line.logged("commits fail, agents send again"))

    assert seen == [Refused(acked=0, durable=0, shown=1, serving=False)] * 2
    for setting in settings:
        assert f"PostgreSQL has {setting} = off, so a commit may get lost. Set {setting} = on." in said
    assert findings.clean, findings


@dataclass(frozen=True, kw_only=True)
class Refused:
    """What an ingest says and does while commits are not durable."""

    acked: int
    durable: float
    shown: float
    serving: bool


async def _refused(line: Pipeline) -> Refused:
    """Wait until every agent was refused once more."""
    enough = await _returned(line) + len(line.agents)
    assert await eventually(lambda: _returned(line), lambda count: count > enough, every_s=0.1) > enough
    return Refused(
        acked=line.acked,
        durable=await line.metric("flick_ingest_durable"),
        shown=await line.metric("flick_ingest_trouble", reason="not_durable"),
        serving=await line.commits_serve(),
    )


async def _returned(line: Pipeline) -> float:
    return await line.metric("flick_ingest_samples_returned_total", reason="not_durable")


async def test_the_checker_catches_an_ingest_that_acks_commits_that_are_not_durable(
    mortal_postgres: OwnPostgres, mortal_telemetry: str, redis_url: str, tmp_path: Path, long_form: bool
) -> None:
    lost = []
    for number in range(3 if long_form else 1):
        await mortal_postgres.process.stop()
        await mortal_postgres.start(**CARELESS)
        folder = tmp_path / str(number)
        folder.mkdir()
        async with pipeline(
            postgres=mortal_postgres.server,
            database=mortal_telemetry,
            redis_url=redis_url,
            folder=folder,
            module="tests.chaos.faults.careless_ingest",
        ) as line:
            async with under_load(line.agents):
                await line.flows()
                await asyncio.sleep(0.5)
                await mortal_postgres.kill()
                await mortal_postgres.start(**CARELESS)
                await line.flows()
            findings = await line.findings()
        lost.append(findings.acked_not_stored)
    report("careless ingest, postmaster killed", acked_and_lost=lost)

    assert min(lost) > 0, "the checker is blind"
