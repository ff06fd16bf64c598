"""Addresses that FLick's parts listen on and connect to: `host:port` or `unix:PATH`; and which stay on this machine."""

import ipaddress


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


def join(host: str, port: int) -> str:
    """`host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
