"""Network traffic: of each interface, and of all together."""

import math
from pathlib import Path

from agent.collectors.collector import Measured, Moment, SeriesKey
from agent.collectors.proc_file import PROC, ProcFile
from agent.collectors.rate import Rate
from flick.v1 import catalog_pb2 as catalog

_METRICS = (
    catalog.METRIC_INTERFACE_RECEIVE,
    catalog.METRIC_INTERFACE_TRANSMIT,
    catalog.METRIC_INTERFACE_PACKETS_RECEIVE,
    catalog.METRIC_INTERFACE_PACKETS_TRANSMIT,
)
_COLUMNS = (0, 8, 1, 9)  # of /proc/net/dev, in the order of _METRICS
_HEADER_LINES = 2


class NetworkCollector:
    """Reads /proc/net/dev. Loopback and the host's ends of containers' cables (veth) are left out."""

    name = "network"

    def __init__(self, *, root: Path = PROC, devices: Path = Path("/sys/class/net")) -> None:
        self._file = ProcFile(root / "net/dev")
        self._devices = devices
        self._totalled: list[int] = []
        self._rates: dict[str, tuple[Rate, ...]] = {}
        self._series: tuple[SeriesKey, ...] = ()

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        counters = parse(self._file.read())
        if counters.keys() != self._rates.keys():
            self._rates = {name: self._rates.get(name) or tuple(Rate() for _ in _METRICS) for name in counters}
            self._series = tuple((metric, (name,)) for name in counters for metric in _METRICS)
            self._totalled = self._adding_up(list(counters))
        values = [
            rate.update(value, moment.monotonic_s)
            for name, found in counters.items()
            for rate, value in zip(self._rates[name], found, strict=True)
        ]
        core: dict[int, float] = {
            catalog.METRIC_NETWORK_RECEIVE: _sum([values[4 * place] for place in self._totalled]),
            catalog.METRIC_NETWORK_TRANSMIT: _sum([values[4 * place + 1] for place in self._totalled]),
        }
        return Measured(core=core, series=self._series, values=values)

    def close(self) -> None:
        """See `Collector`."""
        self._file.close()

    def _adding_up(self, names: list[str]) -> list[int]:
        """The places of the interfaces whose sum is the machine's traffic.

        What passes a bridge, bond, VLAN or tunnel passes a piece of hardware too and would count twice. Where there is
        no hardware, as in a container, all count.
        """
        hardware = [place for place, name in enumerate(names) if (self._devices / name / "device").exists()]
        return hardware or list(range(len(names)))


def parse(text: bytes) -> dict[str, tuple[int, ...]]:
    """Bytes received, bytes sent, packets received, packets sent since the start, by interface."""
    found = {}
    for line in text.splitlines()[_HEADER_LINES:]:
        name, _, numbers = line.decode(errors="replace").rpartition(":")
        name = name.strip()
        if name == "lo" or name.startswith("veth"):
            continue
        columns = numbers.split()
        found[name] = tuple(int(columns[column]) for column in _COLUMNS)
    return found


def _sum(values: list[float]) -> float:
    """Together; an interface that has just come or was reset counts nothing. NaN when there is no value at all."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) if known else math.nan
