"""/proc/net/sockstat: how many sockets there are."""

from collections.abc import Mapping
from pathlib import Path

from agent.collectors.collector import Measured, Moment
from agent.collectors.proc_file import PROC, ProcFile
from agent.collectors.shared_file import SharedFile
from flick.v1 import catalog_pb2 as catalog

Sockstat = Mapping[tuple[bytes, bytes], int]
"""Numbers by the line's first word and the name within the line, as `{(b"TCP", b"tw"): 7}`."""


class SockstatFile(SharedFile[Sockstat]):
    """Reads it, at most once per moment."""

    def __init__(self, *, root: Path = PROC) -> None:
        super().__init__(file=ProcFile(root / "net/sockstat"), parse=parse)


class SocketsCollector:
    """Counts sockets of every kind."""

    name = "sockets"

    def __init__(self, *, sockstat: SockstatFile) -> None:
        self._sockstat = sockstat

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        used = self._sockstat.at(moment).get((b"sockets", b"used"))
        return Measured(core={} if used is None else {catalog.METRIC_SOCKET_COUNT: used})

    def close(self) -> None:
        """See `Collector`."""
        self._sockstat.close()


def parse(text: bytes) -> Sockstat:
    """All numbers that stand behind a name."""
    found = {}
    for line in text.splitlines():
        kind, _, rest = line.partition(b":")
        words = rest.split()
        for name, value in zip(words[::2], words[1::2], strict=False):
            if value.isdigit():
                found[kind, name] = int(value)
    return found
