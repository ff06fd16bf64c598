"""Block devices: how much they read and write, how long that takes, and how busy they are."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from agent.collectors.collector import Measured, Moment, SeriesKey
from agent.collectors.proc_file import PROC, ProcFile
from agent.collectors.rate import Rates, total
from agent.collectors.sys_file import read_or_none
from flick.v1 import catalog_pb2 as catalog

_METRICS = (
    catalog.METRIC_DEVICE_READ,
    catalog.METRIC_DEVICE_WRITE,
    catalog.METRIC_DEVICE_OPERATIONS_READ,
    catalog.METRIC_DEVICE_OPERATIONS_WRITE,
    catalog.METRIC_DEVICE_LATENCY_READ,
    catalog.METRIC_DEVICE_LATENCY_WRITE,
    catalog.METRIC_DEVICE_UTILIZATION,
    catalog.METRIC_DEVICE_QUEUE,
)
_SECTOR_BYTES = 512  # in this file, whatever the device has
_MS_PER_S = 1000
_NAME = 2
# Of each line (admin-guide/iostats in the kernel's documentation); later kernels write more behind them.
_COUNTERS = itemgetter(3, 5, 6, 7, 9, 10, 12, 13)
_READS, _READ_SECTORS, _READ_MS, _WRITES, _WRITTEN_SECTORS, _WRITE_MS, _BUSY_MS, _WAITED_MS = range(8)

_NO_DISK = re.compile(rb"(loop|ram|zram|sr|fd)\d+$")  # files, memory, drives for what is put in
_CONTAINERS = ("docker-",)  # volumes of Docker's devicemapper, one for each container
_PATH = re.compile(rb"(nvme\d+)c\d+(n\d+)$")  # one of the ways to an NVMe disk

Counters = Sequence[int]


@dataclass(frozen=True, slots=True)
class Device:
    """A block device that is measured.

    Args:
        label: as programs name it: /dev/sda, or /dev/mapper/vg-root.
        is_hardware: whether it is a disk, not made of others as a RAID or a volume.
    """

    label: str
    is_hardware: bool


class DiskCollector:
    """Reads /proc/diskstats.

    Left out are partitions, what lies in files or memory (loop, ram, zram), drives for removable media, volumes of
    single containers, and what never did anything: so a device has series from its first operation on.
    """

    name = "disks"

    def __init__(self, *, root: Path = PROC, blocks: Path = Path("/sys/block")) -> None:
        self._file = ProcFile(root / "diskstats")
        self._blocks = blocks
        self._names: set[bytes] = set()
        self._devices: dict[bytes, Device] = {}
        self._rates: dict[bytes, Rates] = {}
        self._series: tuple[SeriesKey, ...] = ()
        self._totalled: list[int] = []

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        found = self._used(parse(self._file.read()))
        if found.keys() != self._rates.keys():
            self._rates = {name: self._rates.get(name) or Rates() for name in found}
            self._series = tuple((metric, (self._devices[name].label,)) for name in found for metric in _METRICS)
            self._totalled = self._adding_up(found)
        values: list[float] = []
        for name, counters in found.items():
            values += measured(self._rates[name].update(counters, moment.monotonic_s))
        core: dict[int, float] = {
            metric: total(values[len(_METRICS) * place + offset] for place in self._totalled)
            for offset, metric in enumerate((catalog.METRIC_DISK_READ, catalog.METRIC_DISK_WRITE))
        }
        return Measured(core=core, series=self._series, values=values)

    def close(self) -> None:
        """See `Collector`."""
        self._file.close()

    def _used(self, lines: dict[bytes, Counters]) -> dict[bytes, Counters]:
        """Of all devices those that are measured and have done something."""
        if lines.keys() != self._names:
            self._names = set(lines)
            self._devices = {name: device for name in lines if (device := _device(name, self._blocks)) is not None}
        return {
            name: counters
            for name, counters in lines.items()
            if name in self._devices
            and (counters[_READS] or counters[_WRITES])
            and not _is_counted_by_its_disk(name, lines)
        }

    def _adding_up(self, names: Iterable[bytes]) -> list[int]:
        """The places of the devices whose sum is the machine's: what a RAID does, its disks do too."""
        places = {place: self._devices[name].is_hardware for place, name in enumerate(names)}
        return [place for place, is_hardware in places.items() if is_hardware] or list(places)


def parse(text: bytes) -> dict[bytes, Counters]:
    """The counters of each block device and partition. Lines that are not understood are left out."""
    found: dict[bytes, Counters] = {}
    for line in text.splitlines():
        columns = line.split()
        try:
            if not _NO_DISK.match(columns[_NAME]):
                found[columns[_NAME]] = tuple(map(int, _COUNTERS(columns)))
        except (IndexError, ValueError):  # kernels before 2.6.25 tell less of partitions
            continue
    return found


def measured(rates: Sequence[float]) -> tuple[float, ...]:
    """The values of `_METRICS` from the counters' growth per second."""
    reads, writes = rates[_READS], rates[_WRITES]
    return (
        rates[_READ_SECTORS] * _SECTOR_BYTES,
        rates[_WRITTEN_SECTORS] * _SECTOR_BYTES,
        reads,
        writes,
        rates[_READ_MS] / reads / _MS_PER_S if reads else math.nan,
        rates[_WRITE_MS] / writes / _MS_PER_S if writes else math.nan,
        min(rates[_BUSY_MS] / _MS_PER_S, 1.0),  # the kernel counts in ticks, which may be one too many
        rates[_WAITED_MS] / _MS_PER_S,
    )


def _device(name: bytes, blocks: Path) -> Device | None:
    """What is to be known of a device; None for those that are not measured."""
    text = name.decode(errors="replace")
    folder = blocks / text.replace("/", "!")
    if not folder.is_dir():  # a partition
        return None
    mapped = read_or_none(f"{folder}/dm/name")
    if mapped is not None and mapped.startswith(_CONTAINERS):
        return None
    label = f"/dev/{text}" if mapped is None else f"/dev/mapper/{mapped}"
    return Device(label=label, is_hardware=(folder / "device").exists())


def _is_counted_by_its_disk(name: bytes, lines: dict[bytes, Counters]) -> bool:
    """An NVMe disk with several ways to it counts nothing itself on some kernels: there the ways are measured."""
    way = _PATH.match(name)
    disk = lines.get(way[1] + way[2]) if way is not None else None
    return disk is not None and bool(disk[_READS] or disk[_WRITES])
