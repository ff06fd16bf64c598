"""TCP segments that were sent again."""

import math

from agent.collectors.collector import Measured, Moment
from agent.collectors.network.snmp import SnmpFile
from agent.collectors.rate import Rate
from flick.v1 import catalog_pb2 as catalog


class TcpCollector:
    """Reads /proc/net/snmp, which counts them over IPv4 and IPv6 together."""

    name = "tcp"

    def __init__(self, *, snmp: SnmpFile) -> None:
        self._snmp = snmp
        self._sent_again = Rate()

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        counted = self._snmp.at(moment)[b"Tcp"].get(b"RetransSegs")
        rate = math.nan if counted is None else self._sent_again.update(counted, moment.monotonic_s)
        return Measured(core={catalog.METRIC_TCP_RETRANSMISSIONS: rate})

    def close(self) -> None:
        """See `Collector`."""
        self._snmp.close()
