"""What is granted to whom: looked up for each call of auth itself, and told to the other services as it changes."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from flick.db.pool import Pool
from flick.db.queries import load_queries
from flick.errors import FlickError, Kind
from flick.ids import parse_id
from flick.rpc.access.source import AgentKey
from flick.v1 import access_pb2, options_pb2
from services.auth.filters.conditions import Condition
from services.auth.store import QUERIES, rows

FIRST_FREE = 4  # the first parameter that find_matching_servers leaves to a filter
CHUNK = 1_000  # entries in a message: below 500 KiB

_SQL = load_queries(QUERIES / "access.sql")
FIRST = UUID(int=0)  # before the id of every server, person and key

Identity = tuple[str, ...]  # the kind of an entry and its identifying fields


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What has changed up to `revision`, as it is now."""

    revision: int
    granted: Sequence[access_pb2.AccessEntry]
    revoked: Sequence[access_pb2.AccessEntry]


class AccessStore:
    """Grants in PostgreSQL. Also the `flick.rpc.access.source.AccessSource` of auth itself, without any cache."""

    def __init__(self, *, pool: Pool) -> None:
        self._pool = pool

    async def retentions(self, *, after: UUID, limit: int) -> Sequence[access_pb2.ServerRetention]:
        """How long the samples of servers after the given one are kept, by id; deleted servers are among them."""
        return [rows.retention(row) for row in await self._pool.fetch(_SQL["page_retentions"], after, limit)]

    async def role(self, *, user_id: str, organization_id: str) -> int:
        """See `AccessSource`."""
        role = await self._pool.fetchval(_SQL["get_role"], UUID(user_id), UUID(organization_id))
        return role or options_pb2.ROLE_UNSPECIFIED

    async def organizations_of(self, *, server_ids: Sequence[str]) -> Mapping[str, str]:
        """See `AccessSource`. Ids are as their callers wrote them, so the answer is by that spelling."""
        found = await self._pool.fetch(_SQL["find_owners_of_servers"], _ids(server_ids))
        owners = {row["server_id"]: str(row["organization_id"]) for row in found}
        return {one: owners[parsed] for one in server_ids if (parsed := parse_id(one)) in owners}

    async def agent_key(self, *, key_id: str) -> AgentKey | None:
        """See `AccessSource`."""
        row = await self._pool.fetchrow(_SQL["find_agent_keys"], [UUID(key_id)])
        if row is None:
            return None
        return AgentKey(
            key_id=key_id,
            server_id=str(row["server_id"]),
            organization_id=str(row["organization_id"]),
            secret_sha256=row["secret_sha256"],
        )

    async def revision(self) -> int:
        """How many changes of access there have been."""
        revision: int = await self._pool.fetchval(_SQL["get_revision"])
        return revision

    async def everything(self) -> AsyncIterator[Sequence[access_pb2.AccessEntry]]:
        """All that is granted, `CHUNK` entries at a time.

        Each chunk shows its own moment. Read the revision first: applying the changes since then makes them one.
        """
        position = (FIRST, FIRST)
        while page := await self._pool.fetch(_SQL["page_memberships"], *position, CHUNK):
            yield [rows.membership_entry(row) for row in page]
            position = (page[-1]["user_id"], page[-1]["organization_id"])
        last = FIRST
        while page := await self._pool.fetch(_SQL["page_servers"], last, CHUNK):
            yield [rows.server_entry(row) for row in page]
            last = page[-1]["server_id"]
        last = FIRST
        while page := await self._pool.fetch(_SQL["page_agent_keys"], last, CHUNK):
            yield [rows.agent_key_entry(row) for row in page]
            last = page[-1]["key_id"]

    async def changes_after(self, revision: int) -> Changes:
        """What has changed since `revision`, at most `CHUNK` changes of it.

        Raises ABORTED when the log does not reach back that far: the caller must begin anew.
        """
        if await self.revision() == revision:
            return Changes(revision=revision, granted=[], revoked=[])
        log = await self._pool.fetch(_SQL["list_changes"], revision, CHUNK)
        if not log or log[0]["revision"] != revision + 1:
            raise FlickError(Kind.ABORTED, "This stream fell too far behind. Open a new one.")
        named = _named(log)
        granted = await self._granted(named)
        still_there = {_identity(entry) for entry in granted}
        revoked = [entry for identity, entry in named.items() if identity not in still_there]
        return Changes(revision=log[-1]["revision"], granted=granted, revoked=revoked)

    async def look_up(self, request: access_pb2.LookUpAccessRequest) -> access_pb2.LookUpAccessResponse:
        """What is granted now to or on the parties named; at least as new as the revision in the answer."""
        revision = await self.revision()
        memberships = await self._pool.fetch(_SQL["find_memberships"], _ids(request.user_ids))
        servers = await self._pool.fetch(_SQL["find_servers"], _ids(request.server_ids), _ids(request.organization_ids))
        keys = await self._pool.fetch(_SQL["find_agent_keys"], _ids(request.key_ids))
        return access_pb2.LookUpAccessResponse(
            revision=revision,
            granted=[
                *(rows.membership_entry(row) for row in memberships),
                *(rows.server_entry(row) for row in servers),
                *(rows.agent_key_entry(row) for row in keys),
            ],
        )

    async def find_servers(
        self, *, user_id: UUID, organization_id: UUID | None, condition: Condition, limit: int
    ) -> Sequence[str]:
        """The ids of those servers of a person's organizations, or of one, that meet `condition`."""
        statement = _SQL["find_matching_servers"].replace("true /* filter */", condition.text)
        found = await self._pool.fetch(statement, user_id, organization_id, limit, *condition.arguments)
        return [str(row["server_id"]) for row in found]

    async def _granted(self, named: Mapping[Identity, access_pb2.AccessEntry]) -> list[access_pb2.AccessEntry]:
        """How the parties named are now; whatever is missing is not granted."""
        request = access_pb2.LookUpAccessRequest(
            user_ids={parts[0] for kind, *parts in named if kind == "membership"},
            server_ids=[parts[0] for kind, *parts in named if kind == "server"],
            key_ids=[parts[0] for kind, *parts in named if kind == "agent_key"],
        )
        return [entry for entry in (await self.look_up(request)).granted if _identity(entry) in named]


def _named(log: Sequence[rows.Row]) -> dict[Identity, access_pb2.AccessEntry]:
    """What the log names, each once."""
    entries = [_name(row) for row in log]
    return {_identity(entry): entry for entry in entries}


def _name(row: rows.Row) -> access_pb2.AccessEntry:
    if row["key_id"] is not None:
        return rows.agent_key_name(key_id=row["key_id"])
    if row["server_id"] is not None:
        return rows.server_name(server_id=row["server_id"])
    return rows.membership_name(user_id=row["user_id"], organization_id=row["organization_id"])


def _identity(entry: access_pb2.AccessEntry) -> Identity:
    kind = entry.WhichOneof("entry")
    if kind == "agent_key":
        return ("agent_key", entry.agent_key.key_id)
    if kind == "server":
        return ("server", entry.server.server_id)
    return ("membership", entry.membership.user_id, entry.membership.organization_id)


def _ids(texts: Iterable[str]) -> list[UUID]:
    """The ids that are well-formed; nothing is granted to the others."""
    return [parsed for parsed in map(parse_id, texts) if parsed is not None]
