"""A PostgreSQL of one's own, durable as in production unless told otherwise, that may be killed, frozen and filled."""

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from deploy.local.embedded import postgres as embedded_postgres
from deploy.local.embedded.database import OWNER, SERVICE_ROLES, answers
from deploy.local.embedded.postgres import SUPERUSER, Postgres, processes_in
from deploy.local.embedded.runtime import Runtime
from deploy.local.machine.account import Account, make_private_folder
from deploy.local.machine.ports import free_port
from tests.chaos.faults.server import ServerProcess
from tests.databases import DatabaseServer


class OwnPostgres:
    """One server, its data below `folder`, at the same address over all its lives.

    Args:
        runtime: the unpacked programs.
        account: whom it runs as.
        folder: where it keeps everything; an empty one gets a new database.
    """

    def __init__(self, *, runtime: Runtime, account: Account, folder: Path) -> None:
        self.embedded = Postgres(
            runtime=runtime,
            account=account,
            directory=folder / "postgres",
            socket_directory=folder / "run",
            port=free_port(),
            passwords={SUPERUSER: secrets.token_urlsafe(24)},
        )
        self._admin_url = self.embedded.url(database="postgres")
        self._settings: dict[str, str] = {}
        self.process = ServerProcess(
            command=self.embedded.command(),
            environment=self.embedded.environment(),
            account=account,
            log=folder / "postgres.log",
            ready=lambda: answers(self._admin_url),
            stop_signal=embedded_postgres.STOP_SIGNAL,
        )
        self.server = DatabaseServer(
            admin_url=self._admin_url,
            passwords={role: secrets.token_urlsafe(24) for role in (OWNER, *SERVICE_ROLES)},
        )

    async def start(self, **settings: str) -> float:
        """Start it, with settings that differ from production's; the moment when it is ready (monotonic clock)."""
        await self.launch(**settings)
        return await self.process.becomes_ready()

    async def heal(self) -> None:
        """Have it run as in production again, whatever was done to it."""
        if self.process.runs and not self._settings:
            self.process.thaw()
            return
        await self.process.stop()
        await self.start()

    async def launch(self, **settings: str) -> None:
        """Start it, as the launcher does after a death; it is not ready yet, and may never be."""
        self._settings = settings
        await self.embedded.prepare()
        await self.process.launch(*(part for name, value in settings.items() for part in ("-c", f"{name}={value}")))

    async def kill(self) -> None:
        """kill -9 of the postmaster; returns when all its processes are gone. Nothing is flushed."""
        await self.process.kill()
        while processes_in(self.embedded.directory):
            await asyncio.sleep(0.01)

    async def kill_backend(self, application_name: str) -> None:
        """kill -9 of one backend, by the name that its client gave. PostgreSQL then ends and recovers all of them."""
        pid = await self.fetchval(
            "select pid from pg_stat_activity where application_name = $1 order by state_change desc limit 1",
            application_name,
        )
        assert isinstance(pid, int), f"{application_name} has no connection"
        os.kill(pid, signal.SIGKILL)

    @asynccontextmanager
    async def kept_in(self, folder: Path, *, database: str) -> AsyncIterator[None]:
        """Have a database, which nobody uses at either end, keep its tables in `folder` while entered."""
        make_private_folder(self.embedded.account, folder)
        name = f"space_{secrets.token_hex(4)}"
        await self.execute(f"create tablespace {name} location '{folder}'")
        await self.execute(f'alter database "{database}" set tablespace {name}')
        try:
            yield
        finally:
            await self.execute(f'alter database "{database}" set tablespace pg_default')
            await self.execute(f"drop tablespace {name}")

    async def fetchval(self, query: str, *arguments: object, database: str = "postgres") -> object:
        """One value, as superuser, over a connection of its own."""
        connection = await asyncpg.connect(self.server.admin_url(database=database))
        try:
            return await connection.fetchval(query, *arguments)
        finally:
            await connection.close()

    async def execute(self, statement: str, *, database: str = "postgres") -> None:
        """A statement as superuser, over a connection of its own."""
        await self.fetchval(statement, database=database)


@asynccontextmanager
async def own_postgres(*, runtime: Runtime, account: Account, folder: Path) -> AsyncIterator[OwnPostgres]:
    """A running server with the roles and an empty template; ended on leaving, in whatever state it is."""
    postgres = OwnPostgres(runtime=runtime, account=account, folder=folder)
    await postgres.start()
    try:
        await postgres.server.start()
        yield postgres
    finally:
        await postgres.process.stop()
