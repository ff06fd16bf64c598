"""Ingest as a process of its own, with an auth that the test scripts."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.machine.ports import free_port
from tests.databases import DatabaseServer
from tests.deployables import Program, program
from tests.tiny_auth import TinyAuth, make_auth


@dataclass(frozen=True, kw_only=True)
class IngestProcess:
    """A running ingest. `metrics` is where /metrics is."""

    program: Program
    auth: TinyAuth
    address: str
    metrics: str


def ingest_environment(
    *, postgres: DatabaseServer, database: str, redis_url: str, auth_address: str
) -> Mapping[str, str]:
    """What an ingest is told that serves in plaintext at any port of loopback."""
    return {
        "FLICK_INGEST_LISTEN": "127.0.0.1:0",
        "FLICK_INGEST_DATABASE_URL": postgres.url(database=database, role="flick_ingest"),
        "FLICK_INGEST_SERVICE_SECRET": "secret",
        "FLICK_REDIS_URL": redis_url,
        "FLICK_AUTH_ADDRESS": auth_address,
    }


@asynccontextmanager
async def ingest_process(
    *arguments: str,
    postgres: DatabaseServer,
    database: str,
    redis_url: str,
    log: Path,
    auth: TinyAuth | None = None,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[IngestProcess]:
    """`python -m services.ingest ARGUMENTS`, serving while entered."""
    auth = auth or make_auth()
    metrics = f"127.0.0.1:{free_port()}"
    async with (
        auth.serving() as auth_address,
        program(
            *("services.ingest", *arguments),
            environment={
                **ingest_environment(
                    postgres=postgres, database=database, redis_url=redis_url, auth_address=auth_address
                ),
                "FLICK_INGEST_METRICS_LISTEN": metrics,
                **(environment or {}),
            },
            log=log,
        ) as running,
    ):
        yield IngestProcess(program=running, auth=auth, address=running.address, metrics=metrics)
