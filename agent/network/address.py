"""Addresses as `host:port`."""

from agent.errors import AgentError
from flick.address import split


def split_address(address: str) -> tuple[str, int]:
    """Host and port to connect to. Raises AgentError."""
    try:
        host, port = split(address)
    except ValueError as error:
        raise AgentError(str(error)) from error
    if not port:
        raise AgentError(f"{address!r} is nothing to connect to; write host:port, with a port from 1")
    return host, port
