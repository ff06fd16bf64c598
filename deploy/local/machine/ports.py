"""TCP ports of this machine: whether one is free, and finding one that is."""

import random
import socket

# Below the ports that the kernel gives to outgoing connections (32768 and up), which could take a port between two
# starts; above those that well-known services prefer.
CANDIDATES = range(20_000, 32_000)


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


def free_port(
    *, host: str = "127.0.0.1", taken: frozenset[int] = frozenset(), randomness: random.Random | None = None
) -> int:
    """Return a free port that is not among `taken`.

    Chosen at random, so that several launchers that start at once hardly ever choose the same.

    Raises OSError when there is none, or the host is not this machine's.
    """
    order = (randomness or random.SystemRandom()).sample(CANDIDATES, len(CANDIDATES))
    for port in order:
        if port not in taken and is_free(port, host=host):
            return port
    raise OSError(f"no free port between {CANDIDATES.start} and {CANDIDATES.stop} on {host}: is {host} this machine's?")
