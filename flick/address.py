"""Addresses that FLick's parts listen on and connect to: `host:port` or `unix:PATH`; and which stay on this machine."""

import ipaddress

_MAX_PORT = 65535


def is_local(address: str) -> bool:
    """Whether nobody outside this machine can reach `address`: a Unix socket, or a loopback host."""
    return address.startswith("unix:") or is_loopback(address.rpartition(":")[0])


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an IP address with or without brackets, is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def split(address: str) -> tuple[str, int]:
    """Host, without brackets, and port of `host:port` or `[IPv6 address]:port`. Raises ValueError with the fix."""
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) <= _MAX_PORT):
        raise ValueError(f"{address!r} is no address; write host:port, with a port up to {_MAX_PORT}")
    return host, int(port)


def join(host: str, port: int) -> str:
    """`host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
