"""Which disks have series, and when they change."""

import math
from pathlib import Path

from agent.collectors.collector import Measured, SeriesKey
from agent.collectors.storage import disks
from agent.collectors.storage.disks import DiskCollector
from flick.v1 import catalog_pb2 as catalog
from tests.unit.agent.collectors.moments import at
from tests.unit.agent.collectors.trees import grow

IDLE = "0 0 0 0 0 0 0 0 0 0 0"
WRITE, LATENCY_READ = catalog.METRIC_DEVICE_WRITE, catalog.METRIC_DEVICE_LATENCY_READ


class Disks:
    """A made-up machine with disks."""

    def __init__(self, root: Path, *names: str) -> None:
        self.root = root
        for name in names:
            self.plug(name)
        self.collector = DiskCollector(root=root, blocks=root / "block")

    def plug(self, name: str) -> None:
        grow(self.root, {f"block/{name}/device": "x"})

    def at(self, seconds: float, **counters: str) -> Measured:
        lines = [f" 8 {number} {name} {line}" for number, (name, line) in enumerate(counters.items())]
        (self.root / "diskstats").write_text("\n".join(lines))
        return self.collector.collect(at(seconds))


def labelled(found: Measured) -> dict[SeriesKey, float]:
    return dict(zip(found.series, found.values, strict=True))


def test_a_disk_has_series_from_its_first_operation_on_and_keeps_them(tmp_path: Path) -> None:
    machine = Disks(tmp_path, "sda", "nbd0")
    before = machine.at(1, sda="5 0 8 1 0 0 0 0 0 1 1", nbd0=IDLE)
    first = machine.at(2, sda="5 0 8 1 0 0 0 0 0 1 1", nbd0="1 0 8 1 0 0 0 0 0 1 1")
    later = machine.at(3, sda="5 0 8 1 0 0 0 0 0 1 1", nbd0="1 0 8 1 0 0 0 0 0 1 1")

    assert {labels for _, labels in before.series} == {("/dev/sda",)}
    assert {labels for _, labels in first.series} == {("/dev/sda",), ("/dev/nbd0",)}
    assert later.series is first.series
    assert labelled(first)[WRITE, ("/dev/sda",)] == 0
    assert math.isnan(labelled(first)[WRITE, ("/dev/nbd0",)])
    assert labelled(later)[WRITE, ("/dev/nbd0",)] == 0


def test_a_disk_that_was_taken_away_and_another_of_its_name_make_a_hole_not_a_spike(tmp_path: Path) -> None:
    machine = Disks(tmp_path, "sda")
    machine.at(1, sda="500 0 8000 10 100 0 800 10 0 10 10")
    other = machine.at(2, sda="5 0 80 1 90000 0 720000 90 0 90 90")
    then = machine.at(3, sda="5 0 80 1 90002 0 720016 92 0 91 92")

    assert all(math.isnan(value) for value in other.values)  # more writes than before, fewer reads
    assert labelled(then)[WRITE, ("/dev/sda",)] == 16 * 512


def test_a_disk_that_goes_takes_its_series_with_it(tmp_path: Path) -> None:
    machine = Disks(tmp_path, "sda", "sdb")
    line = "5 0 8 1 0 0 0 0 0 1 1"
    machine.at(1, sda=line, sdb=line)
    found = machine.at(2, sda=line)

    assert {labels for _, labels in found.series} == {("/dev/sda",)}
    assert labelled(found)[WRITE, ("/dev/sda",)] == 0


def test_milliseconds_that_wrap_at_32_bits_are_counted_on(tmp_path: Path) -> None:
    machine = Disks(tmp_path, "sda")
    machine.at(1, sda=f"100 0 800 {2**32 - 50} 0 0 0 0 0 1 1")
    found = machine.at(2, sda="110 0 880 50 0 0 0 0 0 1 1")

    assert labelled(found)[LATENCY_READ, ("/dev/sda",)] == 0.01


def test_a_disk_is_never_busier_than_always(tmp_path: Path) -> None:
    machine = Disks(tmp_path, "sda")
    machine.at(1, sda="1 0 8 1 0 0 0 0 0 0 0")
    found = machine.at(2, sda="2 0 16 2 0 0 0 0 0 1004 1004")

    assert labelled(found)[catalog.METRIC_DEVICE_UTILIZATION, ("/dev/sda",)] == 1


def test_names_with_a_slash_are_found_where_sysfs_writes_an_exclamation_mark(tmp_path: Path) -> None:
    machine = Disks(tmp_path, "cciss!c0d0")
    found = machine.at(1, **{"cciss/c0d0": "5 0 8 1 0 0 0 0 0 1 1", "cciss/c0d0p1": "5 0 8 1 0 0 0 0 0 1 1"})

    assert {labels for _, labels in found.series} == {("/dev/cciss/c0d0",)}


def test_where_there_is_no_hardware_the_total_is_of_what_there_is(tmp_path: Path) -> None:
    machine = Disks(tmp_path)
    grow(tmp_path, {"block/zd0/size": "8"})
    machine.at(1, zd0="5 0 8 1 0 0 0 0 0 1 1")
    found = machine.at(2, zd0="5 0 8 1 1 0 8 0 0 1 1")

    assert found.core[catalog.METRIC_DISK_WRITE] == 8 * 512


def test_lines_of_other_lengths_are_left_out() -> None:
    assert disks.parse(b" 8 1 sda1 5 40 5 40\n\n 8 0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\nsda\n 8 0 sdb a b\n") == {
        b"sda": (1, 3, 4, 5, 7, 8, 10, 11)
    }
