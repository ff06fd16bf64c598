"""TCP connections by state."""

import math

from agent.collectors.collector import Measured, Moment
from agent.collectors.network.snmp import SnmpFile
from agent.collectors.network.socket_diag import (
    CLOSE_WAIT,
    CLOSING,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    LISTEN,
    SYN_RECEIVED,
    SYN_SENT,
    SocketDiag,
    Sockets,
)
from agent.collectors.network.sockets import SockstatFile
from flick.v1 import catalog_pb2 as catalog

_LISTED = {
    "syn_sent": SYN_SENT,
    "syn_received": SYN_RECEIVED,
    "fin_wait_1": FIN_WAIT_1,
    "fin_wait_2": FIN_WAIT_2,
    "close_wait": CLOSE_WAIT,
    "last_ack": LAST_ACK,
    "listen": LISTEN,
    "closing": CLOSING,
}
_LIST_EVERY_S = 10.0
_EARLY_S = 0.5  # a moment of a ten-second grid may come a little early
_STATES = ("established", "time_wait", *_LISTED)
_SERIES = tuple((int(catalog.METRIC_TCP_CONNECTIONS), (state,)) for state in _STATES)


class ConnectionsCollector:
    """Counts them without naming them.

    The two states that many connections are in are counted by the kernel. Those in other states it lists, for which it
    looks through all of its table; so they are asked for again only after ten seconds and stay as they were until then.
    """

    name = "tcp connections"

    def __init__(self, *, snmp: SnmpFile, sockstat: SockstatFile, diag: SocketDiag) -> None:
        self._snmp = snmp
        self._sockstat = sockstat
        self._diag = diag
        self._counted = Sockets(by_state={}, kept_by_kernel=0)
        self._list_at_s = 0.0

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`. Raises OSError also where the kernel lists no sockets."""
        open_now = self._snmp.at(moment)[b"Tcp"].get(b"CurrEstab")  # counts close_wait too
        gone = self._sockstat.at(moment).get((b"TCP", b"tw"))  # counts fin_wait_2 too where no program has it any more
        if moment.monotonic_s >= self._list_at_s:
            self._counted = self._diag.count(_LISTED.values())
            self._list_at_s = moment.monotonic_s + _LIST_EVERY_S - _EARLY_S
        listed = [self._counted.by_state.get(state, 0) for state in _LISTED.values()]
        established = math.nan if open_now is None else max(0, open_now - self._counted.by_state.get(CLOSE_WAIT, 0))
        time_wait = math.nan if gone is None else max(0, gone - self._counted.kept_by_kernel)
        return Measured(series=_SERIES, values=[established, time_wait, *listed])

    def close(self) -> None:
        """See `Collector`."""
        self._snmp.close()
        self._sockstat.close()
        self._diag.close()
