"""UDP datagrams, over IPv4 and IPv6 together."""

import math
from pathlib import Path

from agent.collectors.collector import Measured, Moment
from agent.collectors.network.snmp import SnmpFile
from agent.collectors.proc_file import PROC, ProcFile, number_of
from agent.collectors.rate import Rate
from flick.v1 import catalog_pb2 as catalog

# InErrors counts again what stands beside it by cause: no room in a buffer, no memory, a wrong checksum.
_COUNTERS = {
    catalog.METRIC_UDP_RECEIVE: (b"InDatagrams",),
    catalog.METRIC_UDP_TRANSMIT: (b"OutDatagrams",),
    catalog.METRIC_UDP_ERRORS: (b"InErrors", b"SndbufErrors"),
}


class UdpCollector:
    """Reads /proc/net/snmp and, where there is IPv6, /proc/net/snmp6."""

    name = "udp"

    def __init__(self, *, snmp: SnmpFile, root: Path = PROC) -> None:
        self._snmp = snmp
        self._snmp6 = ProcFile(root / "net/snmp6")
        self._rates = {metric: Rate() for metric in _COUNTERS}

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        counters = self._snmp.at(moment)[b"Udp"]
        text = self._read_v6()
        core: dict[int, float] = {}
        for metric, names in _COUNTERS.items():
            core[metric] = math.nan
            if names[0] in counters:
                counted = sum(counters.get(name, 0) + (number_of(text, b"Udp6" + name) or 0) for name in names)
                core[metric] = self._rates[metric].update(counted, moment.monotonic_s)
        return Measured(core=core)

    def close(self) -> None:
        """See `Collector`."""
        self._snmp.close()
        self._snmp6.close()

    def _read_v6(self) -> bytes:
        try:
            return self._snmp6.read()
        except FileNotFoundError:
            return b""
