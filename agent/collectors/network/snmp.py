"""/proc/net/snmp: what the kernel counts of TCP, over IPv4 and IPv6, and of UDP over IPv4."""

from collections.abc import Mapping
from pathlib import Path

from agent.collectors.proc_file import PROC, ProcFile
from agent.collectors.shared_file import SharedFile

Snmp = Mapping[bytes, Mapping[bytes, int]]
"""Counters by protocol and name, as `{b"Tcp": {b"RetransSegs": 7}}`."""

_PROTOCOLS = (b"Tcp", b"Udp")


class SnmpFile(SharedFile[Snmp]):
    """Reads it, at most once per moment."""

    def __init__(self, *, root: Path = PROC) -> None:
        super().__init__(file=ProcFile(root / "net/snmp"), parse=parse)


def parse(text: bytes) -> Snmp:
    """The counters of TCP and UDP. Two lines tell of each protocol: names, then values."""
    found: dict[bytes, dict[bytes, int]] = {protocol: {} for protocol in _PROTOCOLS}
    names: dict[bytes, list[bytes]] = {}
    for line in text.splitlines():
        protocol, _, rest = line.partition(b":")
        if protocol in names:
            values = zip(names.pop(protocol), rest.split(), strict=False)
            found[protocol] = {name: int(value) for name, value in values if value.isdigit()}
        elif protocol in found:
            names[protocol] = rest.split()
    return found
