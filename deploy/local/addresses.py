"""Which ports the parts listen on, and under which addresses they are reached."""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flick.address import is_loopback, join

DEFAULT_PORT = 8080
# Distance from the gateway's port; the rest takes any free one.
OFFSETS: Mapping[str, int] = {"gateway": 0, "ingest": 1, "auth": 2, "query": 3}
ANY = ("postgres", "redis", "auth_metrics", "ingest_metrics", "query_metrics", "gateway_metrics")
OPEN = frozenset({"gateway", "ingest"})  # these listen on the chosen host, the others only on loopback
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where everything is.

    Args:
        host: what the gateway and ingest listen on.
        public_host: the name or address under which other machines (on a loopback host: this one) reach them.
        ports: port of each part.
    """

    host: str
    public_host: str
    ports: Mapping[str, int]

    def listen(self, part: str) -> str:
        """Return what the part listens on, as host:port."""
        return join(self.host if part in OPEN else LOOPBACK, self.ports[part])

    def local(self, part: str) -> str:
        """Return where this machine reaches the part, as host:port."""
        host = LOOPBACK if part not in OPEN or is_wildcard(self.host) else self.host
        return join(host, self.ports[part])

    def public(self, part: str) -> str:
        """Return where others reach the part, as host:port."""
        return join(self.public_host, self.ports[part])

    @property
    def encrypted(self) -> bool:
        """Whether the gateway speaks HTTPS: wherever others could listen."""
        return not is_loopback(self.host)

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "https" if self.encrypted else "http"


def choose_ports(
    *,
    requested: int | None,
    remembered: Mapping[str, int],
    is_free: Callable[[str, int], bool],
    any_free: Callable[[str, frozenset[int]], int],
) -> dict[str, int]:
    """Choose a port for every part: the remembered one, else the preferred one, else any that is free.

    Args:
        requested: the gateway's port; 0: any; None: the remembered one, at first `DEFAULT_PORT`.
        remembered: last start's ports; agents on other machines know ingest's.
        is_free: whether a part could listen on a port now.
        any_free: gives a free port for a part, none of the given.
    """
    kept = remembered if requested in (None, 0, remembered.get("requested")) else {}
    base = remembered.get("requested", DEFAULT_PORT) if requested is None else requested
    chosen: dict[str, int] = {}
    for part in (*OFFSETS, *ANY):
        wished = [kept.get(part, 0), base + OFFSETS[part] if base and part in OFFSETS else 0]
        taken = frozenset(chosen.values())
        fitting = [port for port in wished if 0 < port < 1 << 16 and port not in taken and is_free(part, port)]
        chosen[part] = fitting[0] if fitting else any_free(part, taken)
    return chosen


def is_wildcard(host: str) -> bool:
    """Return whether the host stands for every address of the machine."""
    return host in ("0.0.0.0", "::")


def outward_address() -> str:
    """Return the address from which this machine reaches others, or its host name when it has no route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: stands for any address; UDP connects without sending
        except OSError:
            return socket.gethostname()
        address: str = probe.getsockname()[0]
        return address
