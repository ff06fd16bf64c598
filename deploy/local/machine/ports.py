"""TCP ports of this machine: whether one is free, and finding one that is."""

import socket


def is_free(port: int, *, host: str = "127.0.0.1") -> bool:
    """Return whether a server could listen on the port now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(*, host: str = "127.0.0.1", preferred: int = 0, taken: frozenset[int] = frozenset()) -> int:
    """Return the preferred port when it is free and not taken, otherwise any free one; 0 prefers none."""
    if preferred and preferred not in taken and is_free(preferred, host=host):
        return preferred
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
            port: int = probe.getsockname()[1]
        if port not in taken:
            return port
