"""Network traffic and what went wrong with it: of each interface, and the traffic of all together."""

from operator import itemgetter
from pathlib import Path

from agent.collectors.collector import Measured, Moment, SeriesKey
from agent.collectors.proc_file import PROC, ProcFile
from agent.collectors.rate import Rates, total
from flick.v1 import catalog_pb2 as catalog

_METRICS = (
    catalog.METRIC_INTERFACE_RECEIVE,
    catalog.METRIC_INTERFACE_TRANSMIT,
    catalog.METRIC_INTERFACE_PACKETS_RECEIVE,
    catalog.METRIC_INTERFACE_PACKETS_TRANSMIT,
    catalog.METRIC_INTERFACE_ERRORS_RECEIVE,
    catalog.METRIC_INTERFACE_ERRORS_TRANSMIT,
    catalog.METRIC_INTERFACE_DROPPED_RECEIVE,
    catalog.METRIC_INTERFACE_DROPPED_TRANSMIT,
)
_COLUMNS = itemgetter(0, 8, 1, 9, 2, 10, 3, 11)  # of /proc/net/dev, in the order of _METRICS
_HEADER_LINES = 2
# The host's ends of containers' cables, which come and go with the containers: as Docker, Calico, Cilium and the
# network plugins of AWS and Azure name them.
_CABLES = ("veth", "cali", "lxc", "eni", "azv")


class NetworkCollector:
    """Reads /proc/net/dev. Loopback and the host's ends of containers' cables are left out."""

    name = "network"

    def __init__(self, *, root: Path = PROC, devices: Path = Path("/sys/class/net")) -> None:
        self._file = ProcFile(root / "net/dev")
        self._devices = devices
        self._totalled: list[int] = []
        self._rates: dict[str, Rates] = {}
        self._series: tuple[SeriesKey, ...] = ()

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        counters = parse(self._file.read())
        if counters.keys() != self._rates.keys():
            self._rates = {name: self._rates.get(name) or Rates() for name in counters}
            self._series = tuple((metric, (name,)) for name in counters for metric in _METRICS)
            self._totalled = self._adding_up(list(counters))
        values: list[float] = []
        for name, found in counters.items():
            values += self._rates[name].update(found, moment.monotonic_s)
        core: dict[int, float] = {
            metric: total(values[len(_METRICS) * place + offset] for place in self._totalled)
            for offset, metric in enumerate((catalog.METRIC_NETWORK_RECEIVE, catalog.METRIC_NETWORK_TRANSMIT))
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
    """The counters of each interface since the start, as `_METRICS` orders them. What is not understood is left out."""
    found = {}
    for line in text.splitlines()[_HEADER_LINES:]:
        name, _, numbers = line.decode(errors="replace").rpartition(":")
        name = name.strip()
        if name == "lo" or name.startswith(_CABLES):
            continue
        try:
            found[name] = tuple(map(int, _COLUMNS(numbers.split())))
        except (IndexError, ValueError):
            continue
    return found
