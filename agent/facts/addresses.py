"""The addresses of this machine's interfaces, by /proc/net."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path

MAX_ADDRESSES = 32
_LINK_OR_HOST = {"20", "10"}  # scopes of /proc/net/if_inet6
_TEMPORARY = 0x01  # IFA_F_TEMPORARY


def addresses(root: Path) -> list[str]:
    """IPv4 first, without loopback, link-local and temporary ones; at most 32. `root`: below which /proc is."""
    net = root / "proc/net"
    found = [*sorted(set(ipv4(_text(net / "fib_trie")))), *sorted(set(ipv6(_text(net / "if_inet6"))))]
    return [str(address) for address in found[:MAX_ADDRESSES]]


def ipv4(fib_trie: str) -> Iterator[ipaddress.IPv4Address]:
    """Those that routing knows as the machine's own; in the order of the table, some twice."""
    last = ""
    for line in fib_trie.splitlines():
        words = line.split()
        if words[:1] == ["|--"]:
            last = words[-1]
        elif words == ["/32", "host", "LOCAL"]:
            try:
                address = ipaddress.IPv4Address(last)
            except ValueError:
                continue
            if not (address.is_loopback or address.is_link_local):
                yield address


def ipv6(if_inet6: str) -> Iterator[ipaddress.IPv6Address]:
    """The lines are: address, interface's number, length of the prefix, scope, flags, interface."""
    for line in if_inet6.splitlines():
        try:
            digits, _, _, scope, flags, _ = line.split()
            address, temporary = ipaddress.IPv6Address(bytes.fromhex(digits)), int(flags, 16) & _TEMPORARY
        except ValueError:
            continue
        if scope not in _LINK_OR_HOST and not temporary:
            yield address


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
