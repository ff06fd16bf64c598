"""Addresses that gRPC servers and clients use: `host:port` or `unix:PATH`; and which of them stay on this machine."""

import ipaddress


def is_local(address: str) -> bool:
    """Whether nobody outside this machine can reach `address`: a Unix socket, or a loopback host."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
