"""Where the access aspect learns what is granted, whether from auth's database or from a watch of auth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


@dataclass(frozen=True, kw_only=True)
class AgentKey:
    """A valid agent key, as auth knows it."""

    key_id: str
    server_id: str
    organization_id: str
    secret_sha256: bytes


class AccessSource(Protocol):
    """What is granted now. Auth answers from its database, every other service from its watch of auth."""

    async def role(self, *, user_id: str, organization_id: str) -> int:
        """The user's role in the organization; ROLE_UNSPECIFIED when they have none."""
        ...

    async def organizations_of(self, *, server_ids: Sequence[str]) -> Mapping[str, str]:
        """The organizations that own some servers, by server id; those that do not exist are left out."""
        ...

    async def agent_key(self, *, key_id: str) -> AgentKey | None:
        """The key, or None when there is none or it is revoked."""
        ...


class KeySource(Protocol):
    """The public keys that tokens are signed with."""

    async def keys(self, *, key_id: str) -> Mapping[str, Ed25519PublicKey]:
        """The keys by id; asks for news when `key_id` is not among those known."""
        ...
