"""The roles and the database that FLick's services need, made in an embedded or an existing PostgreSQL."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import asyncpg

from deploy.local.errors import LocalError, PartError

OWNER = "flick_owner"
SERVICE_ROLES = ("flick_auth", "flick_ingest", "flick_query")
DATABASE = "flick"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
_CONNECT_TIMEOUT_S = 5.0
_SCRAM_ITERATIONS = 4096  # PostgreSQL's own default; the passwords are random, so more would only slow each login


async def answers(url: str) -> bool:
    """Return whether the database accepts a login and a query.

    Raises LocalError when it refuses the password, which waiting does not mend.
    """
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_TIMEOUT_S)
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise LocalError(
            f"the database refuses the launcher's login ({error}): its data and its password come from different "
            "backups, or FLICK_DATABASE_URL holds a wrong one"
        ) from error
    except (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError):
        return False
    try:
        return bool(await connection.fetchval("select true"))
    finally:
        await connection.close()


async def make_roles(connection: Connection, passwords: Mapping[str, str]) -> None:
    """Create or renew the login roles, none of them privileged.

    The server is sent SCRAM verifiers, so that no password can appear in its log.
    """
    for role, password in passwords.items():
        exists = await connection.fetchval("select true from pg_roles where rolname = $1", role)
        verb = "alter" if exists else "create"
        statement = await connection.fetchval(
            f"select format('{verb} role %I login password %L', $1::text, $2::text)",
            role,
            scram_verifier(password, salt=secrets.token_bytes(16)),
        )
        await connection.execute(statement)


async def make_database(connection: Connection, *, name: str, owner: str, roles: Sequence[str]) -> None:
    """Create the database when missing; only its owner and the service roles may connect to it."""
    if not await connection.fetchval("select true from pg_database where datname = $1", name):
        await connection.execute(f'create database "{name}" owner "{owner}"')
    await grant_database(connection, name=name, roles=roles)


async def grant_database(connection: Connection, *, name: str, roles: Sequence[str]) -> None:
    """Let only the roles, beside the owner, connect to the database and use temporary tables."""
    await connection.execute(f'revoke all on database "{name}" from public')
    for role in roles:
        await connection.execute(f'grant connect, temporary on database "{name}" to "{role}"')


async def make_extension(url: str) -> str:
    """Create TimescaleDB in the database, or bring it up to the installed version; return that version.

    Raises PartError when the server does not carry TimescaleDB or the role may not create it.
    """
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_TIMEOUT_S)
        try:
            await connection.execute("create extension if not exists timescaledb")
        finally:
            await connection.close()
        connection = await asyncpg.connect(url, timeout=_CONNECT_TIMEOUT_S)  # an update must come first in a session
        try:
            await connection.execute("alter extension timescaledb update")
            return str(await connection.fetchval("select extversion from pg_extension where extname = 'timescaledb'"))
        finally:
            await connection.close()
    except asyncpg.PostgresError as error:
        raise PartError(
            f"TimescaleDB could not be created in the database: {error}. The server needs the timescaledb extension "
            "installed and in shared_preload_libraries, and the role of FLICK_DATABASE_URL must own the database"
        ) from error


def scram_verifier(password: str, *, salt: bytes) -> str:
    """Return the SCRAM-SHA-256 verifier of an ASCII password in PostgreSQL's notation (RFC 5803, RFC 7677)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _SCRAM_ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")

    def encode(raw: bytes) -> str:
        return base64.b64encode(raw).decode()

    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{encode(salt)}${encode(stored_key)}:{encode(server_key)}"
