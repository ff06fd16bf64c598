"""Which web pages may talk to the gateway: RFC 6454 origins, compared as browsers write them. Pure."""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from flick.address import is_loopback

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HTTP_OF = {"ws": "http", "wss": "https"}


class OriginPolicy:
    """Lets in pages of the gateway's own origin and of the ones allowed; programs send no Origin and pass.

    Without TLS a name counts as the gateway's own only when it is allowed: a page of `http://evil.example`, whose name
    was turned to 127.0.0.1 after it was loaded, has the same origin as what it then asks (DNS rebinding).
    """

    def __init__(self, *, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(_normal(origin) for origin in allowed)

    def admits(self, origin: str | None, *, scheme: str, host: str) -> bool:
        """Whether a request with this Origin header, sent by `scheme` to the Host header `host`, may pass."""
        if origin is None:
            return True
        wanted = _normal(origin)
        own = _normal(f"{_HTTP_OF.get(scheme, scheme)}://{host}")
        return bool(wanted) and (wanted in self._allowed or (wanted == own and not _may_be_rebound(origin)))


def _may_be_rebound(origin: str) -> bool:
    """Whether the name may be any site's that points to this machine: without TLS nothing proves whose it is."""
    parts = urlsplit(origin.strip().lower())
    host = parts.hostname or ""
    return parts.scheme == "http" and not is_loopback(host) and not _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _normal(origin: str) -> str:
    """`scheme://host:port` in lower case with the port written out; empty for what is no web origin, such as `null`."""
    try:
        parts = urlsplit(origin.strip().lower())
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return ""
    if port is None or not parts.hostname or parts.username or parts.path.strip("/") or parts.query or parts.fragment:
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}"
