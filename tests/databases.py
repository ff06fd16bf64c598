"""A PostgreSQL with TimescaleDB for tests: fresh databases, copied from templates that are prepared once."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit

import asyncpg

from deploy.local.embedded.database import OWNER, SERVICE_ROLES, grant_database, make_extension, make_roles

Prepare = Callable[[str], Awaitable[None]]
EMPTY = "flick_test_empty"


class DatabaseServer:
    """A running server on which tests make databases.

    Args:
        admin_url: address of any database, as a role that may create databases, roles and the extension.
        passwords: the password of every role that tests may connect as.
    """

    def __init__(self, *, admin_url: str, passwords: Mapping[str, str]) -> None:
        self._admin_url = admin_url
        self._passwords = passwords
        self._templates: set[str] = set()

    def url(self, *, database: str, role: str = OWNER) -> str:
        """Return the address of a database for `flick_owner` or one of the service roles."""
        host = urlsplit(self._admin_url).netloc.rpartition("@")[2]
        return f"postgresql://{role}:{quote(self._passwords[role], safe='')}@{host}/{database}"

    @asynccontextmanager
    async def database(self, *, template: str = EMPTY) -> AsyncIterator[str]:
        """Yield the name of a fresh database, a copy of the template (default: empty but for TimescaleDB)."""
        name = f"flick_test_{secrets.token_hex(6)}"
        await self._create(name, template=template)
        try:
            yield name
        finally:
            await self._execute(f'drop database "{name}" with (force)')

    async def template(self, name: str, prepare: Prepare) -> str:
        """Make the template `name` once per test run: `prepare` is given its address as owner, to migrate it."""
        if name not in self._templates:
            await self._execute(f'drop database if exists "{name}" with (force)')
            await self._create(name, template=EMPTY)
            await prepare(self.url(database=name))
            self._templates.add(name)
        return name

    def admin_url(self, *, database: str) -> str:
        """Return the address of a database for the role that may create databases and roles."""
        return urlsplit(self._admin_url)._replace(path=f"/{database}").geturl()

    async def renew_roles(self) -> None:
        """Give the roles the passwords that `url` names, also after a test gave them others."""
        connection = await asyncpg.connect(self._admin_url)
        try:
            await make_roles(connection, self._passwords)
        finally:
            await connection.close()

    async def start(self) -> None:
        """Create the roles and the template that holds nothing but TimescaleDB."""
        await self.renew_roles()
        await self._execute(f'drop database if exists "{EMPTY}" with (force)')
        await self._create(EMPTY, template="template1")
        await make_extension(self.admin_url(database=EMPTY))

    async def _create(self, name: str, *, template: str) -> None:
        await self._execute(f'create database "{name}" owner "{OWNER}" template "{template}"')
        connection = await asyncpg.connect(self._admin_url)
        try:
            await grant_database(connection, name=name, roles=SERVICE_ROLES)
        finally:
            await connection.close()

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self._admin_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
