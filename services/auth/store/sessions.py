"""People, their sessions, and the refresh tokens of these."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flick.db.pool import Connection, Pool
from flick.db.queries import load_queries
from flick.ids import new_id
from flick.tokens import REFRESH_TOKEN_PREFIX, OpaqueToken, make_opaque
from flick.v1 import auth_pb2
from services.auth.rules.refresh import LIFETIME, PresentedToken, Verdict, judge
from services.auth.store import QUERIES, rows

_SQL = load_queries(QUERIES / "sessions.sql")


@dataclass(frozen=True, kw_only=True)
class Account:
    """Who has an e-mail address, and the hash of their password."""

    user_id: UUID
    password_hash: str


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """What became of a refresh token that was presented. `token` is the new one, where there is one."""

    verdict: Verdict
    user_id: str = ""
    session_id: str = ""
    token: str = ""


class SessionStore:
    """Sessions in PostgreSQL."""

    def __init__(self, *, pool: Pool) -> None:
        self._pool = pool

    async def find_account(self, *, email: str) -> Account | None:
        """Whoever has this e-mail address, in whatever case it is written."""
        row = await self._pool.fetchrow(_SQL["find_user_by_email"], email)
        return Account(user_id=row["user_id"], password_hash=row["password_hash"]) if row else None

    async def me(self, *, user_id: UUID) -> auth_pb2.Me | None:
        """A person with their organizations, oldest first."""
        user = await self._pool.fetchrow(_SQL["get_user"], user_id)
        if user is None:
            return None
        memberships = [
            auth_pb2.OrganizationMembership(organization=rows.organization(row), role=rows.role(row["role"]))
            for row in await self._pool.fetch(_SQL["list_memberships"], user_id)
        ]
        return auth_pb2.Me(user_id=str(user["user_id"]), email=user["email"], organizations=memberships)

    async def begin(self, *, user_id: UUID, now: datetime) -> Exchange:
        """A new session with its first refresh token."""
        session_id = new_id()
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_SQL["begin_session"], session_id, user_id, now)
            token = await _add_token(connection, session_id=session_id, parent_id=None, now=now)
        return Exchange(verdict=Verdict.EXCHANGE, user_id=str(user_id), session_id=str(session_id), token=token)

    async def exchange(self, presented: OpaqueToken, *, now: datetime) -> Exchange:
        """Judge a refresh token (`services.auth.rules.refresh`) and do what follows, as one transaction.

        Whoever presents tokens of one session at the same time is served one after the other.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            session = await connection.fetchrow(_SQL["lock_session_of_token"], presented.id, presented.secret_sha256)
            token = await connection.fetchrow(_SQL["get_refresh_token"], presented.id) if session else None
            if session is None or token is None:
                return Exchange(verdict=Verdict.REFUSE)
            state = PresentedToken(**token, session_ended=session["end_time"] is not None)
            verdict = judge(state, now=now)
            new_token = ""
            if verdict is Verdict.END_SESSION:
                await connection.execute(_SQL["end_session"], session["session_id"], now, "reuse")
            elif verdict is not Verdict.REFUSE:
                await connection.execute(_SQL["mark_refresh_token_used"], presented.id, now)
                new_token = await _add_token(
                    connection, session_id=session["session_id"], parent_id=presented.id, now=now
                )
        return Exchange(
            verdict=verdict,
            user_id=str(session["user_id"]),
            session_id=str(session["session_id"]),
            token=new_token,
        )

    async def end(self, presented: OpaqueToken, *, now: datetime) -> None:
        """End the session of a refresh token, if there is one."""
        async with self._pool.acquire() as connection, connection.transaction():
            session = await connection.fetchrow(_SQL["lock_session_of_token"], presented.id, presented.secret_sha256)
            if session is not None:
                await connection.execute(_SQL["end_session"], session["session_id"], now, "logout")


async def _add_token(connection: Connection, *, session_id: UUID, parent_id: UUID | None, now: datetime) -> str:
    token = make_opaque(prefix=REFRESH_TOKEN_PREFIX, token_id=new_id())
    await connection.execute(
        _SQL["add_refresh_token"], token.id, session_id, parent_id, token.secret_sha256, now, now + LIFETIME
    )
    return token.text
