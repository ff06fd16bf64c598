"""What collectors read out of files of /proc that this machine may not have."""

import math
import os
from pathlib import Path

import pytest

from agent.collectors import filesystem, kernel_stat, memory, network, processes
from agent.collectors.collector import Moment
from agent.collectors.cpu import CpuCollector
from agent.collectors.filesystem import FilesystemCollector
from agent.collectors.kernel_stat import KernelStatFile
from agent.collectors.network import NetworkCollector
from agent.collectors.pid_list import PidList
from agent.collectors.processes import ProcessesCollector
from flick.v1 import catalog_pb2 as catalog
from flick.v1 import telemetry_pb2

STAT = b"""cpu  100 10 50 800 40 5 15 20 30 3
cpu0 50 5 25 400 20 3 7 10 15 1
cpu2 50 5 25 400 20 2 8 10 15 2
intr 12345 0 0 7
ctxt 99
processes 4711
procs_running 2
"""


def at(seconds: float) -> Moment:
    return Moment(monotonic_s=seconds, boottime_s=1000 + seconds)


def test_processor_times_leave_out_guests_which_are_counted_already() -> None:
    found = kernel_stat.parse(STAT)

    assert found.all_cores == (100, 10, 50, 800, 40, 5, 15, 20)
    assert list(found.cores) == ["0", "2"]
    assert found.processes_created == 4711


def test_old_kernels_tell_fewer_columns() -> None:
    assert kernel_stat.parse(b"cpu 1 2 3 4\nintr 1\nprocesses 5\n").all_cores == (1, 2, 3, 4, 0, 0, 0, 0)


def test_what_is_no_stat_is_an_error() -> None:
    with pytest.raises(ValueError, match="cpu"):
        kernel_stat.parse(b"intr 1\nprocesses 5\n")


def test_shares_of_processor_time_are_those_since_the_moment_before(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_bytes(b"cpu 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0\nintr 1\nprocesses 1\n")
    collector = CpuCollector(stat=KernelStatFile(root=tmp_path))
    first = collector.collect(at(1))
    stat.write_bytes(b"cpu 30 10 20 25 5 3 2 5\ncpu0 30 10 20 25 5 3 2 5\nintr 1\nprocesses 1\n")
    found = collector.collect(at(2))

    assert catalog.METRIC_CPU_UTILIZATION not in first.core
    assert math.isnan(first.values[0])
    assert found.core[catalog.METRIC_CPU_UTILIZATION] == pytest.approx(0.70)
    assert found.core[catalog.METRIC_CPU_UTILIZATION_USER] == pytest.approx(0.40)
    assert found.core[catalog.METRIC_CPU_UTILIZATION_SYSTEM] == pytest.approx(0.20)
    assert found.core[catalog.METRIC_CPU_UTILIZATION_IOWAIT] == pytest.approx(0.05)
    assert found.core[catalog.METRIC_CPU_UTILIZATION_INTERRUPT] == pytest.approx(0.05)
    assert found.core[catalog.METRIC_CPU_UTILIZATION_STEAL] == pytest.approx(0.05)
    assert found.values == pytest.approx([0.70])


def test_idle_time_that_goes_back_does_not_make_a_share_leave_its_range(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_bytes(b"cpu 10 0 0 100 50 0 0 0\nintr 1\nprocesses 1\n")
    collector = CpuCollector(stat=KernelStatFile(root=tmp_path))
    collector.collect(at(1))
    stat.write_bytes(b"cpu 20 0 0 100 40 0 0 0\nintr 1\nprocesses 1\n")

    assert collector.collect(at(2)).core[catalog.METRIC_CPU_UTILIZATION] == 1.0


def test_a_processor_that_comes_on_line_gets_a_series_and_first_a_hole(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_bytes(b"cpu 1 0 0 1\ncpu0 1 0 0 1\nintr 1\nprocesses 1\n")
    collector = CpuCollector(stat=KernelStatFile(root=tmp_path))
    collector.collect(at(1))
    stat.write_bytes(b"cpu 3 0 0 3\ncpu0 2 0 0 2\ncpu1 1 0 0 1\nintr 1\nprocesses 1\n")
    found = collector.collect(at(2))

    assert [labels for _, labels in found.series] == [("0",), ("1",)]
    assert found.values[0] == 0.5
    assert math.isnan(found.values[1])


def test_memory_of_a_kernel_without_an_estimate_of_what_is_available() -> None:
    found = memory.from_meminfo({b"MemTotal": 1000, b"MemFree": 200, b"Buffers": 50, b"Cached": 150})

    assert found[catalog.METRIC_MEMORY_AVAILABLE] == 400
    assert found[catalog.METRIC_MEMORY_USED] == 600
    assert found[catalog.METRIC_MEMORY_UTILIZATION] == pytest.approx(0.6)
    assert found[catalog.METRIC_SWAP_UTILIZATION] == 0.0


def test_reclaimable_kernel_memory_counts_as_cache() -> None:
    found = memory.from_meminfo(
        {b"MemTotal": 1000, b"MemFree": 200, b"Buffers": 50, b"Cached": 150, b"SReclaimable": 100}
    )

    assert found[catalog.METRIC_MEMORY_CACHED] == 250
    assert found[catalog.METRIC_MEMORY_USED] == 500


def test_memory_without_a_line_that_every_kernel_has_is_an_error() -> None:
    with pytest.raises(ValueError, match="Buffers"):
        memory.from_meminfo({b"MemTotal": 1, b"MemFree": 1, b"Cached": 1})


MOUNTS = """\
21 1 0:2 / / rw - rootfs rootfs rw
22 27 0:21 / /proc rw shared:1 - proc proc rw
25 24 0:23 / {0}/shm rw - tmpfs tmpfs rw
27 1 254:0 / {0}/root rw shared:2 - ext4 /dev/vda rw
28 27 254:0 /srv/data {0}/bound rw shared:3 - ext4 /dev/vda rw
29 27 254:0 / {0}/a rw shared:3 - ext4 /dev/vda rw
30 27 7:0 / {0}/snap ro - squashfs /dev/loop0 ro
31 27 7:1 / {0}/image rw - ext4 /dev/loop1 rw
32 27 0:40 / {0}/share rw - nfs4 server:/export rw
33 27 0:41 / {0}/overlay rw - overlay overlay rw
34 27 0:42 /@ {0}/btrfs rw - btrfs /dev/mapper/pool rw
35 27 0:43 /@home {0}/btrfs-home rw - btrfs /dev/mapper/pool rw
36 27 0:44 / {0}/tank rw - zfs tank rw
37 27 0:45 / {0}/tank-home rw - zfs tank/home rw
38 27 254:1 / {0}/with\\040space rw - xfs /dev/vdb rw
39 27 254:2 /etc/hosts {0}/hosts rw - ext4 /dev/vdc rw
40 27 254:3 / {0}/gone rw - ext4 /dev/vdd rw
"""


def real(tmp_path: Path) -> dict[str, str]:
    for name in ("root", "bound", "a", "snap", "image", "share", "overlay", "btrfs", "btrfs-home", "tank", "tank-home"):
        (tmp_path / name).mkdir()
    (tmp_path / "with space").mkdir()
    (tmp_path / "hosts").touch()
    found = filesystem.real_mounts(MOUNTS.format(tmp_path).encode())
    return {Path(mount.mountpoint).name: mount.device for mount in found}


def test_local_file_systems_that_hold_data_are_taken_each_once(tmp_path: Path) -> None:
    assert real(tmp_path) == {
        "a": "/dev/vda",
        "btrfs": "/dev/mapper/pool",
        "tank": "tank",
        "tank-home": "tank/home",
        "with space": "/dev/vdb",
    }


def test_a_containers_root_is_an_overlay_and_is_taken() -> None:
    found = filesystem.real_mounts(b"1 0 0:50 / / rw - overlay overlay rw\n2 1 0:51 / /dev rw - tmpfs tmpfs rw\n")

    assert [(mount.device, mount.mountpoint) for mount in found] == [("overlay", "/")]


def test_a_root_that_the_table_does_not_tell_of_is_measured_as_in_a_chroot(tmp_path: Path) -> None:
    number = Path("/").stat().st_dev
    if not os.major(number):
        pytest.skip("the root of this machine has no device number")
    line = f"27 1 {os.major(number)}:{os.minor(number)} /part {tmp_path} rw - ext4 /dev/disk rw\n"
    alone, beside = filesystem.real_mounts(b""), filesystem.real_mounts(line.encode())

    assert [mount.mountpoint for mount in alone] == ["/"]
    assert [(mount.device, mount.mountpoint) for mount in beside] == [("/dev/disk", "/")]


def test_a_file_system_that_is_mounted_later_gets_its_series(tmp_path: Path) -> None:
    table = tmp_path / "self" / "mountinfo"
    table.parent.mkdir()
    (tmp_path / "disk").mkdir()
    root = "21 1 0:2 / / rw - rootfs rootfs rw\n"
    table.write_text(root)
    collector = FilesystemCollector(root=tmp_path)
    before = collector.collect(at(1))
    table.write_text(f"{root}27 1 254:0 / {tmp_path}/disk rw - ext4 /dev/vda rw\n")
    found = collector.collect(at(2))

    assert before.series == ()
    assert [metric for metric, _ in found.series] == [510, 511, 512]
    assert collector.collect(at(3)).series is found.series
    used, free, share = found.values
    assert used > 0
    assert share == pytest.approx(used / (used + free))


NET = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier
    lo:  100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:{0}       20    0    0    0     0          0         0     3000      30    0    0    0     0       0          0
vethab1:  7       7    0    0    0     0          0         0        7       7    0    0    0     0       0          0
docker0: {1}       5    0    0    0     0          0         0      600       6    0    0    0     0       0          0
"""


def test_counters_of_interfaces_without_loopback_and_containers_cables() -> None:
    assert network.parse(NET.format(1000, 500).encode()) == {"eth0": (1000, 3000, 20, 30), "docker0": (500, 600, 5, 6)}


@pytest.mark.parametrize(("with_hardware", "expected"), [(True, 500.0), (False, 900.0)])
def test_the_total_counts_hardware_once(tmp_path: Path, with_hardware: bool, expected: float) -> None:
    devices, table = tmp_path / "devices", tmp_path / "net" / "dev"
    table.parent.mkdir()
    if with_hardware:
        (devices / "eth0" / "device").mkdir(parents=True)
    collector = NetworkCollector(root=tmp_path, devices=devices)
    table.write_text(NET.format(1000, 500))
    collector.collect(at(1))
    table.write_text(NET.format(2000, 1300))
    found = collector.collect(at(3))

    assert found.core[catalog.METRIC_NETWORK_RECEIVE] == expected
    assert dict(zip(found.series, found.values, strict=True))[catalog.METRIC_INTERFACE_RECEIVE, ("eth0",)] == 500.0


def test_a_process_name_may_hold_parentheses_and_blanks() -> None:
    found = processes.parse(
        b"4242 (tmux: (1) x) S 1 4242 4242 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 3 0 90000 1000000 512 1844674\n"
    )

    assert (found.pid, found.name, found.state) == (4242, b"tmux: (1) x", b"S")
    assert (found.ticks, found.threads, found.start_ticks) == (300, 3, 90000)


class Procs:
    """A made-up /proc."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(
        self, pid: int, *, ticks: int, start: int = 1, rss: int = 10, name: str = "prog", command: str = ""
    ) -> None:
        folder = self.root / str(pid)
        folder.mkdir(exist_ok=True)
        (folder / "stat").write_text(
            f"{pid} ({name}) R 1 1 1 0 -1 0 0 0 0 0 {ticks} 0 0 0 20 0 1 0 {start} 0 {rss} 0\n"
        )
        (folder / "cmdline").write_text(command.replace(" ", "\0") + "\0")

    def collector(self) -> ProcessesCollector:
        return ProcessesCollector(with_commands=True, pids=PidList(root=self.root), root=self.root)

    def listed(self, collector: ProcessesCollector, seconds: float) -> dict[int, telemetry_pb2.Process]:
        snapshot = telemetry_pb2.ProcessSnapshot.FromString(collector.collect(at(seconds)).processes)
        return {process.pid: process for process in snapshot.processes}


@pytest.fixture
def procs(tmp_path: Path) -> Procs:
    return Procs(tmp_path)


def test_processor_time_of_a_process_is_that_since_the_moment_before(procs: Procs) -> None:
    collector = procs.collector()
    procs.put(1, ticks=1000)
    procs.listed(collector, 1)
    procs.put(1, ticks=1300)

    assert procs.listed(collector, 3)[1].cpu_utilization == pytest.approx(1.5)


def test_a_new_process_has_used_all_its_time_since_and_one_that_was_hidden_is_not_guessed_at(procs: Procs) -> None:
    collector = procs.collector()
    procs.listed(collector, 1)
    procs.put(1, ticks=50, start=100_150)
    procs.put(2, ticks=50, start=500)
    found = procs.listed(collector, 2)

    assert found[1].cpu_utilization == pytest.approx(0.5)
    assert found[2].cpu_utilization == 0.0


def test_a_pid_that_was_given_again_is_another_process(procs: Procs) -> None:
    collector = procs.collector()
    procs.put(1, ticks=1000, start=5)
    procs.listed(collector, 1)
    procs.put(1, ticks=20, start=100_150)

    assert procs.listed(collector, 2)[1].cpu_utilization == pytest.approx(0.2)


def test_ten_by_processor_time_are_joined_with_ten_by_memory(procs: Procs) -> None:
    collector = procs.collector()
    for pid in range(1, 41):
        procs.put(pid, ticks=0, rss=pid)
    procs.listed(collector, 1)
    for pid in range(1, 16):
        procs.put(pid, ticks=pid, rss=pid)

    assert list(procs.listed(collector, 2)) == [*range(15, 5, -1), *range(40, 30, -1)]


def test_a_name_that_the_kernel_cut_is_completed_from_the_command_line(procs: Procs) -> None:
    collector = procs.collector()
    procs.put(1, ticks=0, name="a-very-long-pro", command="/opt/a-very-long-program --flag")
    procs.listed(collector, 1)
    found = procs.listed(collector, 2)[1]

    assert (found.name, found.command) == ("a-very-long-program", "/opt/a-very-long-program --flag")


def test_bytes_that_are_no_text_do_not_break_the_list(procs: Procs) -> None:
    collector = procs.collector()
    procs.put(1, ticks=0)
    (procs.root / "1" / "cmdline").write_bytes(b"\xff\xfe\0x\0")
    procs.listed(collector, 1)

    assert procs.listed(collector, 2)[1].command == "\N{REPLACEMENT CHARACTER}" * 2 + " x"


def test_what_a_process_is_is_not_asked_at_every_moment_but_again_after_a_minute_or_under_another_name(
    procs: Procs,
) -> None:
    collector = procs.collector()
    procs.put(1, ticks=0, command="/bin/prog --first")
    procs.listed(collector, 1)
    before = procs.listed(collector, 2)[1].command
    procs.put(1, ticks=0, command="/bin/prog --second")
    soon, later = (procs.listed(collector, second)[1].command for second in (61.9, 62))
    procs.put(1, ticks=0, name="other", command="/bin/other")

    assert (before, soon, later) == ("/bin/prog --first", "/bin/prog --first", "/bin/prog --second")
    assert procs.listed(collector, 63)[1].command == "/bin/other"
