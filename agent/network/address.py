"""Addresses as `host:port`."""

import re

from agent.errors import AgentError

_PORT = re.compile(r"[0-9]{1,5}")
_MAX_PORT = 65535


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[IPv6 address]:port`. Raises AgentError."""
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not _PORT.fullmatch(port) or not 0 < int(port) <= _MAX_PORT:
        raise AgentError(f"{address!r} is no address; write host:port")
    return host, int(port)
