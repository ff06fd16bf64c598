"""The table of what is granted, filled by auth's `WatchAccess`. Pure: messages in, answers out, listeners told."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from flick.rpc.access.source import AgentKey
from flick.v1 import access_pb2, options_pb2, servers_pb2


class Grants:
    """Memberships, servers and agent keys."""

    def __init__(self) -> None:
        self._roles: dict[tuple[str, str], int] = {}
        self._servers: dict[str, access_pb2.ServerEntry] = {}
        self._servers_by_organization: dict[str, set[str]] = defaultdict(set)
        self._keys: dict[str, AgentKey] = {}
        self._listeners: dict[str, set[Callable[[], None]]] = defaultdict(set)

    def role(self, *, user_id: str, organization_id: str) -> int:
        """The user's role in the organization; ROLE_UNSPECIFIED when they have none."""
        return self._roles.get((user_id, organization_id), options_pb2.ROLE_UNSPECIFIED)

    def organizations_of(self, *, user_id: str) -> list[str]:
        """The organizations that the user has a role in."""
        return [organization_id for (user, organization_id) in self._roles if user == user_id]

    def servers_in(self, *, organization_id: str) -> list[str]:
        """The ids of an organization's servers, in order."""
        return sorted(self._servers_by_organization.get(organization_id, ()))

    def organization_of(self, *, server_id: str) -> str | None:
        """The organization that owns the server."""
        entry = self._servers.get(server_id)
        return entry.organization_id if entry else None

    def settings(self, *, server_id: str) -> servers_pb2.ServerSettings | None:
        """The server's settings, or None when there is no such server."""
        entry = self._servers.get(server_id)
        return entry.settings if entry else None

    def agent_key(self, *, key_id: str) -> AgentKey | None:
        """The key, or None when there is none or it is revoked."""
        return self._keys.get(key_id)

    @contextmanager
    def listen(self, tell: Callable[[], None], *, server_id: str) -> Iterator[None]:
        """Call `tell` whenever something about the server or its keys changes, while entered."""
        self._listeners[server_id].add(tell)
        try:
            yield
        finally:
            self._listeners[server_id].discard(tell)
            if not self._listeners[server_id]:
                del self._listeners[server_id]

    def replace(self, entries: Iterable[access_pb2.AccessEntry]) -> None:
        """Forget everything and take `entries` instead; every listener is told."""
        self._roles.clear()
        self._servers.clear()
        self._servers_by_organization.clear()
        self._keys.clear()
        for entry in entries:
            self.grant(entry)
        for server_id in self._listeners:
            self._tell(server_id)

    def grant(self, entry: access_pb2.AccessEntry) -> None:
        """Take in one fact."""
        kind = entry.WhichOneof("entry")
        if kind == "membership":
            self._roles[entry.membership.user_id, entry.membership.organization_id] = entry.membership.role
        elif kind == "server":
            self._forget_server(entry.server.server_id)
            self._servers[entry.server.server_id] = entry.server
            self._servers_by_organization[entry.server.organization_id].add(entry.server.server_id)
            self._tell(entry.server.server_id)
        elif kind == "agent_key":
            key = entry.agent_key
            self._keys[key.key_id] = AgentKey(
                key_id=key.key_id,
                server_id=key.server_id,
                organization_id=key.organization_id,
                secret_sha256=key.secret_sha256,
            )
            self._tell(key.server_id)

    def revoke(self, entry: access_pb2.AccessEntry) -> None:
        """Take back one fact, told by its identifying fields."""
        kind = entry.WhichOneof("entry")
        if kind == "membership":
            self._roles.pop((entry.membership.user_id, entry.membership.organization_id), None)
        elif kind == "server":
            self._forget_server(entry.server.server_id)
            self._tell(entry.server.server_id)
        elif kind == "agent_key":
            key = self._keys.pop(entry.agent_key.key_id, None)
            if key is not None:
                self._tell(key.server_id)

    def _forget_server(self, server_id: str) -> None:
        entry = self._servers.pop(server_id, None)
        if entry is not None:
            self._servers_by_organization[entry.organization_id].discard(server_id)

    def _tell(self, server_id: str) -> None:
        for tell in self._listeners.get(server_id, ()):
            tell()
