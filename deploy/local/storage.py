"""The database and Redis that the services get: embedded ones, or existing ones that the environment names."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil

from deploy.local import parts
from deploy.local.data_dir import DataDir
from deploy.local.embedded import database
from deploy.local.embedded import redis as embedded_redis
from deploy.local.embedded.apt import Progress
from deploy.local.embedded.postgres import SUPERUSER, Postgres
from deploy.local.embedded.redis import Redis
from deploy.local.embedded.runtime import Runtime, ensure_runtime
from deploy.local.errors import LocalError
from deploy.local.machine.account import database_account
from deploy.local.supervision.supervisor import Supervisor
from flick.config import setting

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """What the environment may name.

    Attributes:
        database_url: an existing PostgreSQL with TimescaleDB, as the database's owner, who may create roles. Absent:
            an embedded one is started.
        redis_url: an existing Redis. Absent: an embedded one is started.
    """

    database_url: str | None = setting("FLICK_DATABASE_URL", default=None)
    redis_url: str | None = setting("FLICK_REDIS_URL", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Addresses for the services: of the database by role, and of Redis."""

    database_urls: Mapping[str, str] = field(repr=False)
    redis_url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageStarter:
    """Brings up what is not named, and prepares roles, database and extension.

    Args:
        settings: what exists already.
        data: the data directory.
        cache_dir: where the embedded programs are unpacked.
        runtime_dir: where a short folder for sockets may be made.
        ports: of `postgres` and `redis`.
        supervisor: starts the embedded servers.
        progress: told while programs are fetched.
    """

    settings: StorageSettings
    data: DataDir
    cache_dir: Path
    runtime_dir: Path
    ports: Mapping[str, int]
    supervisor: Supervisor
    progress: Progress

    async def start(self) -> Storage:
        """Return the addresses once both answer.

        Raises LocalError when one cannot be brought up or prepared.
        """
        runtime = None
        if self.settings.database_url is None or self.settings.redis_url is None:
            runtime = await ensure_runtime(cache_dir=self.cache_dir, progress=self.progress)
        urls, redis_url = await asyncio.gather(self._database(runtime), self._redis(runtime))
        return Storage(database_urls=urls, redis_url=redis_url)

    async def _database(self, runtime: Runtime | None) -> dict[str, str]:
        passwords = {role: self.data.secret(role) for role in database.SERVICE_ROLES}
        if self.settings.database_url is not None:
            return await _prepare_existing(self.settings.database_url, passwords)
        assert runtime is not None
        passwords[database.OWNER] = self.data.secret(database.OWNER)
        server = Postgres(
            runtime=runtime,
            account=database_account(),
            directory=self.data.postgres,
            socket_directory=self.data.socket_directory(runtime_dir=self.runtime_dir),
            port=self.ports["postgres"],
            passwords={**passwords, SUPERUSER: self.data.secret(SUPERUSER)},
            shared_buffers_mib=_page_cache_mib(psutil.virtual_memory().total),
        )
        await self.supervisor.start(parts.postgres(server))
        await _prepare_embedded(server, passwords)
        return {role: server.url(database=database.DATABASE, role=role) for role in passwords}

    async def _redis(self, runtime: Runtime | None) -> str:
        if self.settings.redis_url is not None:
            if not await embedded_redis.answers(self.settings.redis_url):
                raise LocalError("the Redis that FLICK_REDIS_URL names does not answer or refuses the login")
            return self.settings.redis_url
        assert runtime is not None
        server = Redis(
            runtime=runtime,
            account=database_account(),
            directory=self.data.redis,
            port=self.ports["redis"],
            password=self.data.secret("redis"),
        )
        await self.supervisor.start(parts.redis(server))
        return server.url()


async def _prepare_embedded(server: Postgres, passwords: Mapping[str, str]) -> None:
    connection = await asyncpg.connect(server.url(database="postgres"))
    try:
        await database.make_roles(connection, passwords)
        await database.make_database(
            connection, name=database.DATABASE, owner=database.OWNER, roles=database.SERVICE_ROLES
        )
    finally:
        await connection.close()
    await database.make_extension(server.url(database=database.DATABASE))


async def _prepare_existing(url: str, passwords: Mapping[str, str]) -> dict[str, str]:
    if not await database.answers(url):
        raise LocalError("the database that FLICK_DATABASE_URL names does not answer")
    connection = await asyncpg.connect(url)
    try:
        await database.make_roles(connection, passwords)
        name = await connection.fetchval("select current_database()")
        await database.grant_database(connection, name=name, roles=database.SERVICE_ROLES)
    except asyncpg.PostgresError as error:
        raise LocalError(
            f"the database that FLICK_DATABASE_URL names could not be prepared: {error}. Its role must own the "
            "database and be allowed to create roles"
        ) from error
    finally:
        await connection.close()
    await database.make_extension(url)
    return {database.OWNER: url, **{role: _as_role(url, role, password) for role, password in passwords.items()}}


def _as_role(url: str, role: str, password: str) -> str:
    parts_of_url = urlsplit(url)
    return parts_of_url._replace(netloc=f"{role}:{password}@{parts_of_url.netloc.rpartition('@')[2]}").geturl()


def _page_cache_mib(memory_bytes: int) -> int:
    """An eighth of the memory, from 64 MiB to 1 GiB: the machine has other work, too."""
    return max(64, min(1024, memory_bytes // 8 // _MIB))
