"""What Redis says of itself. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class BusFacts:
    """Redis as it is now.

    Attributes:
        version: of Redis.
        used_bytes, max_bytes: what it holds and may hold; 0: no limit.
        key_count, evicted_key_count: what it keeps, and gave up for want of memory since it started.
        client_count: connected clients.
        uptime_s: since when it runs.
        ping_s: how long it took to answer a ping.
    """

    version: str
    used_bytes: int
    max_bytes: int
    key_count: int
    evicted_key_count: int
    client_count: int
    uptime_s: int
    ping_s: float

    @classmethod
    def read(cls, info: Mapping[str, Any], *, ping_s: float) -> "BusFacts":
        """Take the answer to INFO, as redis-py reads it."""
        databases = (value for name, value in info.items() if name.startswith("db") and isinstance(value, Mapping))
        return cls(
            version=str(info.get("redis_version", "")),
            used_bytes=int(info.get("used_memory", 0)),
            max_bytes=int(info.get("maxmemory", 0)),
            key_count=sum(int(one.get("keys", 0)) for one in databases),
            evicted_key_count=int(info.get("evicted_keys", 0)),
            client_count=int(info.get("connected_clients", 0)),
            uptime_s=int(info.get("uptime_in_seconds", 0)),
            ping_s=ping_s,
        )
