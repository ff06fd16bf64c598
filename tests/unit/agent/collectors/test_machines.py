"""What machines of several kinds measure: recorded ones and others put together, as `recorded/README.md` tells."""

import math
from pathlib import Path

import pytest

from agent.catalog import CATALOG
from agent.collection import Collection, Readings
from agent.collectors.collector import SeriesKey
from flick.v1 import catalog_pb2 as catalog
from tests.unit.agent.collectors import machines
from tests.unit.agent.collectors.moments import at
from tests.unit.agent.collectors.trees import grow

MEASURED_BY_OTHERS = {"system.process.count", "system.process.created", "system.uptime"}


def measured(collection: Collection, root: Path, *, seconds: float) -> Readings:
    """The second of two readings of a machine whose files change meanwhile from `first` to `second`."""
    collection.collect(at(1))
    (root / "now").unlink()
    (root / "now").symlink_to(root / "second")
    collection.close()  # so that the files are opened again, now below the other folder
    return collection.collect(at(1 + seconds))


def over(tmp_path: Path, first: Path, second: Path, *, seconds: float) -> tuple[Readings, Collection]:
    for name, folder in (("first", first), ("second", second), ("now", tmp_path / "first")):
        (tmp_path / name).symlink_to(folder)
    collection = Collection(collectors=machines.collectors(tmp_path / "now"))
    with collection:
        return measured(collection, tmp_path, seconds=seconds), collection


def holes(readings: Readings) -> set[str]:
    """The names of the scalar metrics that have no value."""
    missing = {CATALOG[number].name for number, value in enumerate(readings.core, 1) if math.isnan(value)}
    return missing - MEASURED_BY_OTHERS


def labelled(readings: Readings) -> dict[SeriesKey, float]:
    return dict(zip(readings.series, readings.values, strict=True))


def scalar(readings: Readings, metric: int) -> float:
    return readings.core[metric - 1]


@pytest.fixture
def virtual_machine(tmp_path: Path) -> Readings:
    folder = machines.RECORDED / "virtual_machine"
    for moment in ("first", "second"):
        grow(tmp_path / moment, {"sys/block/vda/device": "virtio", "sys/block/zram0/size": "0"})
        (tmp_path / moment / "proc").symlink_to(folder / moment / "proc")
        grow(tmp_path / moment, {"run/systemd/sessions/1": "CLASS=user\nSTATE=active"})
    readings, collection = over(tmp_path / "x", tmp_path / "first", tmp_path / "second", seconds=9.69)
    assert not collection.failing

    return readings


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()


SECONDS = 9.69


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (catalog.METRIC_CPU_FREQUENCY, 2_596_140_000),
        (catalog.METRIC_PRESSURE_CPU_SOME, (9_060_064_647 - 9_056_619_481) / 1e6 / SECONDS),
        (catalog.METRIC_PRESSURE_IO_SOME, (346_894_587 - 346_757_687) / 1e6 / SECONDS),
        (catalog.METRIC_DISK_WRITE, (389_121_440 - 388_928_176) * 512 / SECONDS),
        (catalog.METRIC_DISK_READ, (6_172_994 - 6_168_082) * 512 / SECONDS),
        (catalog.METRIC_TCP_RETRANSMISSIONS, (59_967 - 59_965) / SECONDS),
        (catalog.METRIC_UDP_TRANSMIT, 0),
        (catalog.METRIC_CONTEXT_SWITCHES, (256_947_645 - 256_866_048) / SECONDS),
        (catalog.METRIC_INTERRUPTS, (49_665_919 - 49_644_630) / SECONDS),
        (catalog.METRIC_FILES_OPEN, 2323),
        (catalog.METRIC_FILES_LIMIT, 2_466_170),
        (catalog.METRIC_SESSION_COUNT, 1),
    ],
)
def test_a_recorded_virtual_machine_has_the_figures_that_its_files_tell(
    virtual_machine: Readings, metric: int, expected: float
) -> None:
    assert scalar(virtual_machine, metric) == pytest.approx(expected)


def test_a_recorded_virtual_machine_has_no_hole_and_one_disk(virtual_machine: Readings) -> None:
    disk = {metric: value for (metric, labels), value in labelled(virtual_machine).items() if labels == ("/dev/vda",)}
    devices = {labels[0] for metric, labels in virtual_machine.series if metric == catalog.METRIC_DEVICE_READ}

    assert holes(virtual_machine) == set()
    assert devices == {"/dev/vda"}
    assert disk[catalog.METRIC_DEVICE_OPERATIONS_WRITE] == pytest.approx((7_147_494 - 7_144_410) / SECONDS)
    assert disk[catalog.METRIC_DEVICE_LATENCY_WRITE] == pytest.approx(0.001 * 762 / 3084)
    assert disk[catalog.METRIC_DEVICE_UTILIZATION] == pytest.approx(0.304 / SECONDS)
    assert disk[catalog.METRIC_DEVICE_QUEUE] == pytest.approx(0.001 * (3_758_923 - 3_758_037) / SECONDS)


@pytest.fixture
def many_cores(tmp_path: Path) -> Readings:
    for moment, second in (("first", 1000), ("second", 1010)):
        grow(tmp_path / moment, machines.many_cores(second=second))
        (tmp_path / moment / "run").mkdir()
        (tmp_path / moment / "run/utmp").write_bytes(machines.utmp(2, 1, 6, 7, 7, 7, 8))
    readings, collection = over(tmp_path / "x", tmp_path / "first", tmp_path / "second", seconds=10)
    assert not collection.failing

    return readings


def test_of_many_processors_each_has_its_share_and_its_speed(many_cores: Readings) -> None:
    found = labelled(many_cores)
    shares = [found[catalog.METRIC_CPU_CORE_UTILIZATION, (str(number),)] for number in range(machines.CORES)]
    speeds = [found[catalog.METRIC_CPU_CORE_FREQUENCY, (str(number),)] for number in range(machines.CORES)]

    assert shares == pytest.approx([0.25] * machines.CORES)
    assert all(math.isnan(speed) for speed in speeds[:2])  # the driver does not tell
    assert speeds[2:] == [3e9] * (machines.CORES - 2)
    assert scalar(many_cores, catalog.METRIC_CPU_FREQUENCY) == 3e9


def test_disks_are_measured_once_and_neither_partitions_nor_what_is_no_disk(many_cores: Readings) -> None:
    found = labelled(many_cores)
    devices = {labels[0] for metric, labels in found if metric == catalog.METRIC_DEVICE_READ}

    assert devices == {"/dev/nvme0n1", "/dev/nvme1n1", "/dev/nvme7c1n1", "/dev/md127", "/dev/mapper/vg-root"}
    for device in devices:
        assert found[catalog.METRIC_DEVICE_READ, (device,)] == pytest.approx(8000 * 512)
        assert found[catalog.METRIC_DEVICE_OPERATIONS_READ, (device,)] == pytest.approx(1000)
        assert found[catalog.METRIC_DEVICE_LATENCY_READ, (device,)] == pytest.approx(0.0001)
        assert math.isnan(found[catalog.METRIC_DEVICE_LATENCY_WRITE, (device,)])
        assert found[catalog.METRIC_DEVICE_UTILIZATION, (device,)] == pytest.approx(0.5)
        assert found[catalog.METRIC_DEVICE_QUEUE, (device,)] == pytest.approx(2)
    assert scalar(many_cores, catalog.METRIC_DISK_READ) == pytest.approx(3 * 8000 * 512)


def test_cables_of_containers_are_no_interfaces_and_lost_packets_are_told(many_cores: Readings) -> None:
    found = labelled(many_cores)
    names = {labels[0] for metric, labels in found if metric == catalog.METRIC_INTERFACE_RECEIVE}

    assert names == {"eno1", "bond0", "docker0"}
    assert found[catalog.METRIC_INTERFACE_DROPPED_RECEIVE, ("eno1",)] == pytest.approx(3)
    assert found[catalog.METRIC_INTERFACE_ERRORS_TRANSMIT, ("eno1",)] == pytest.approx(2)
    assert found[catalog.METRIC_INTERFACE_ERRORS_RECEIVE, ("eno1",)] == 0


def test_a_large_server_s_scalars_are_all_there(many_cores: Readings) -> None:
    expected = {
        catalog.METRIC_PRESSURE_CPU_SOME: 0.25,
        catalog.METRIC_PRESSURE_IO_FULL: 0.05,
        catalog.METRIC_CONTEXT_SWITCHES: 5000,
        catalog.METRIC_INTERRUPTS: 1000,
        catalog.METRIC_THREADS_RUNNABLE: 17,
        catalog.METRIC_THREADS_BLOCKED: 3,
        catalog.METRIC_SWAP_OUT: 7,
        catalog.METRIC_TCP_RETRANSMISSIONS: 40,
        catalog.METRIC_SOCKET_COUNT: 90_321,
        catalog.METRIC_SESSION_COUNT: 3,
    }

    assert {metric: scalar(many_cores, metric) for metric in expected} == pytest.approx(expected)
    assert scalar(many_cores, catalog.METRIC_FILES_LIMIT) == 2**63 - 1
    assert holes(many_cores) == set()


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        (
            machines.CONTAINER,
            {
                "system.cpu.frequency",
                "system.linux.pressure",
                "system.disk.total.io",
                "system.linux.session.count",
                "system.paging.operations",
                "system.linux.memory.oom_kills",
            },
        ),
        (machines.OLD_KERNEL, {"system.linux.pressure", "system.linux.session.count", "system.linux.memory.oom_kills"}),
    ],
    ids=["a container", "an old kernel"],
)
def test_what_a_machine_does_not_tell_is_a_hole_and_no_failure(
    tmp_path: Path, files: dict[str, str], missing: set[str]
) -> None:
    grow(tmp_path / "machine", files)
    readings, collection = over(tmp_path / "x", tmp_path / "machine", tmp_path / "machine", seconds=10)

    assert list(collection.failing) == []
    # Nothing happened between the two readings, which have the same ticks.
    assert holes(readings) - {"system.cpu.utilization", "system.cpu.mode.utilization"} == missing
