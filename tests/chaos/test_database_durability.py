"""Commits that are not durable: ingest acks none of them, and an ingest that did so would be found out."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.faults.own_postgres import OwnPostgres
from tests.chaos.load import under_load
from tests.chaos.pipeline import pipeline, report
from tests.waiting import eventually

# Loss made likely: what commits say is done stays in shared memory as long as PostgreSQL's settings allow.
CARELESS = {"synchronous_commit": "off", "wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"}


@pytest.mark.parametrize("setting", ["synchronous_commit", "fsync"])
async def test_nothing_is_acked_until_commits_are_durable_again(
    mortal_postgres: OwnPostgres, mortal_telemetry: str, redis_url: str, tmp_path: Path, setting: str
) -> None:
    await mortal_postgres.process.stop()
    await mortal_postgres.start(**{setting: "off"})
    async with pipeline(
        postgres=mortal_postgres.server, database=mortal_telemetry, redis_url=redis_url, folder=tmp_path
    ) as line:
        async with under_load(line.agents):

            async def refused() -> float:
                return await line.metric("flick_ingest_samples_returned_total", reason="not_durable")

            assert await eventually(refused, lambda count: count > len(line.agents), every_s=0.1) > len(line.agents)
            acked, durable = line.acked, await line.metric("flick_ingest_durable")
            shown = await line.metric("flick_ingest_trouble", reason="not_durable")
            serving = await line.commits_serve()
            await mortal_postgres.heal()
            await line.flows()
        findings = await line.findings()
    said = [record["why"] for record in line.logged("commits fail, agents send again")]

    assert (acked, durable, shown, serving) == (0, 0, 1, False)
    assert f"PostgreSQL has {setting} = off, so a commit may get lost. Set {setting} = on." in said
    assert findings.clean, findings


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
