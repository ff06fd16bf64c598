"""What the collectors say of this system's disks, sockets, memory and sessions, compared with what psutil says."""

import mmap
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from agent.collectors.collector import Collector, Measured, Moment, SeriesKey
from agent.collectors.cpu.activity import ActivityCollector
from agent.collectors.cpu.frequency import FrequencyCollector
from agent.collectors.cpu.kernel_stat import KernelStatFile
from agent.collectors.memory.paging import PagingCollector
from agent.collectors.network.connections import ConnectionsCollector
from agent.collectors.network.snmp import SnmpFile
from agent.collectors.network.socket_diag import SocketDiag
from agent.collectors.network.sockets import SocketsCollector, SockstatFile
from agent.collectors.network.udp import UdpCollector
from agent.collectors.storage.disks import DiskCollector
from agent.collectors.storage.filesystem import FilesystemCollector
from agent.collectors.system.open_files import OpenFilesCollector
from agent.collectors.system.pressure import PressureCollector
from agent.collectors.system.sessions import SessionsCollector
from flick.clock import SystemClock
from flick.v1 import catalog_pb2 as catalog

MIB = 1024 * 1024
T = TypeVar("T")
_PSUTIL_STATES = {
    "established": psutil.CONN_ESTABLISHED,
    "listen": psutil.CONN_LISTEN,
    "close_wait": psutil.CONN_CLOSE_WAIT,
    "syn_sent": psutil.CONN_SYN_SENT,
}


def now() -> Moment:
    clock = SystemClock()
    return Moment(monotonic_s=clock.monotonic_s(), boottime_s=clock.boottime_s())


def over(collector: Collector, between: Callable[[], object]) -> tuple[Measured, float]:
    """What it measures of the time in which something is done, and how long that was in seconds."""
    began = now()
    collector.collect(began)
    between()
    ended = now()
    found = collector.collect(ended)
    collector.close()
    return found, ended.monotonic_s - began.monotonic_s


def labelled(found: Measured) -> dict[SeriesKey, float]:
    return dict(zip(found.series, found.values, strict=True))


def connections(collector: ConnectionsCollector) -> dict[str, float]:
    return {labels[0]: value for (_, labels), value in labelled(collector.collect(now())).items()}


@pytest.fixture
def connecting() -> Iterator[ConnectionsCollector]:
    collector = ConnectionsCollector(snmp=SnmpFile(), sockstat=SockstatFile(), diag=SocketDiag())
    yield collector
    collector.close()


def write_through(folder: Path) -> None:
    """Write 32 MiB that really go to the disk."""
    with (folder / "written").open("wb") as file:
        for _ in range(32):
            file.write(os.urandom(MIB))
        file.flush()
        os.fsync(file.fileno())


def around(collector: Collector, count: Callable[[], T], act: Callable[[], object]) -> tuple[Measured, float, list[T]]:
    """What it measures while something is done, with four readings of `count`: two around ours, two within."""
    counted = [count()]

    def between() -> None:
        counted.append(count())
        act()
        counted.append(count())

    found, passed_s = over(collector, between)
    counted.append(count())
    return found, passed_s, counted


def assert_lies_between(found: float, readings: list[int]) -> None:
    """A counter's growth by our reckoning is no less than that read within ours, and no more than that read around."""
    first, second, third, last = readings

    assert (third - second) * 0.9999 <= found <= (last - first) * 1.0001 + 1e-6


def test_what_disks_write_is_what_psutil_counts(tmp_path: Path) -> None:
    found, passed_s, counted = around(
        DiskCollector(), lambda: psutil.disk_io_counters(perdisk=True), lambda: write_through(tmp_path)
    )
    series = labelled(found)
    if not series:
        pytest.skip("this machine has no disk")

    for (metric, (label,)), rate in series.items():
        name = Path(label).name
        if metric == catalog.METRIC_DEVICE_WRITE and name in counted[0]:
            writes = series[catalog.METRIC_DEVICE_OPERATIONS_WRITE, (label,)]
            assert_lies_between(rate * passed_s, [one[name].write_bytes for one in counted])
            assert_lies_between(writes * passed_s, [one[name].write_count for one in counted])
            assert 0 <= series[catalog.METRIC_DEVICE_UTILIZATION, (label,)] <= 1


def test_every_disk_that_psutil_knows_and_that_did_something_is_measured_and_no_partition() -> None:
    collector = DiskCollector()
    measured = {labels[0] for _, labels in collector.collect(now()).series}
    collector.close()
    whole = {f"/dev/{path.name}" for path in Path("/sys/block").iterdir() if (path / "device").exists()}
    counted = psutil.disk_io_counters(perdisk=True, nowrap=False)
    used = {f"/dev/{name}" for name, one in counted.items() if one.read_count + one.write_count}

    assert {label for label in measured if not label.startswith("/dev/mapper/")} >= whole & used - {"/dev/sr0"}
    assert not any(label.startswith(("/dev/loop", "/dev/ram", "/dev/zram")) for label in measured)


def test_inodes_are_those_that_df_tells() -> None:
    collector = FilesystemCollector()
    found = labelled(collector.collect(now()))
    collector.close()
    (free,) = [value for (metric, labels), value in found.items() if (metric, labels[1]) == (514, "/")]
    said = subprocess.run(["df", "--output=iavail", "/"], capture_output=True, text=True, check=True)

    assert free == pytest.approx(int(said.stdout.split()[1]), rel=0.05) or int(said.stdout.split()[1]) == 0


@contextmanager
def connected(count: int) -> Iterator[None]:
    """So many connections of this machine with itself."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=count))
        for _ in range(count):
            stack.enter_context(socket.create_connection(listener.getsockname()))
            stack.enter_context(listener.accept()[0])
        yield


def test_connections_by_state_are_those_that_psutil_lists(connecting: ConnectionsCollector) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root sees everybody's sockets with psutil")
    with connected(20):
        found = connections(connecting)
        listed = Counter(one.status for one in psutil.net_connections(kind="tcp"))

        assert found["established"] >= 40
        for state, name in _PSUTIL_STATES.items():
            assert found[state] == pytest.approx(listed[name], rel=0.3, abs=20), state


def test_a_connection_that_the_other_side_closed_waits_to_be_closed(connecting: ConnectionsCollector) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        theirs.close()
        ours.recv(1)
        found = connections(connecting)
        ours.close()

    assert found["close_wait"] >= 1
    assert found["listen"] >= 1
    assert found["fin_wait_1"] + found["fin_wait_2"] >= 1  # until our acknowledgement comes it is the first


def test_states_of_ipv6_are_counted_as_well(connecting: ConnectionsCollector) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    before = connections(connecting)["listen"]
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
        again = ConnectionsCollector(snmp=SnmpFile(), sockstat=SockstatFile(), diag=SocketDiag())
        after = connections(again)["listen"]
        again.close()

    assert after - before > 25


def test_sockets_are_counted() -> None:
    collector = SocketsCollector(sockstat=SockstatFile())
    before = collector.collect(now()).core[catalog.METRIC_SOCKET_COUNT]
    with connected(400):
        after = collector.collect(now()).core[catalog.METRIC_SOCKET_COUNT]
    collector.close()

    assert after - before > 100


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_datagrams_are_counted(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if family == socket.AF_INET6 and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")

    def send() -> None:
        with socket.socket(family, socket.SOCK_DGRAM) as receiver, socket.socket(family, socket.SOCK_DGRAM) as sender:
            receiver.bind((address, 0))
            for _ in range(300):
                sender.sendto(b"x", receiver.getsockname())
                receiver.recv(1)

    found, passed_s = over(UdpCollector(snmp=SnmpFile()), send)

    assert found.core[catalog.METRIC_UDP_TRANSMIT] * passed_s >= 299.9
    assert found.core[catalog.METRIC_UDP_RECEIVE] * passed_s >= 299.9


def test_datagrams_that_find_no_room_are_errors() -> None:
    def flood() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            receiver.bind(("127.0.0.1", 0))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for _ in range(200):
                    sender.sendto(b"x" * 1000, receiver.getsockname())

    found, passed_s = over(UdpCollector(snmp=SnmpFile()), flood)

    assert found.core[catalog.METRIC_UDP_ERRORS] * passed_s > 100


def test_context_switches_and_interrupts_are_those_that_psutil_counts() -> None:
    def switch() -> None:
        for _ in range(200):
            threading.Event().wait(0.001)

    found, passed_s, counted = around(ActivityCollector(stat=KernelStatFile()), psutil.cpu_stats, switch)

    assert_lies_between(found.core[catalog.METRIC_CONTEXT_SWITCHES] * passed_s, [one.ctx_switches for one in counted])
    assert_lies_between(found.core[catalog.METRIC_INTERRUPTS] * passed_s, [one.interrupts for one in counted])
    assert found.core[catalog.METRIC_THREADS_RUNNABLE] >= 1  # who asks runs


def test_a_page_of_a_file_that_has_to_be_read_is_a_major_fault(tmp_path: Path) -> None:
    path = tmp_path / "mapped"
    path.write_bytes(os.urandom(4 * MIB))

    def touch() -> None:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
                mapped.madvise(mmap.MADV_RANDOM)
                assert sum(mapped[at] for at in range(0, len(mapped), mmap.PAGESIZE)) > 0

    faults = _major_faults()
    found, passed_s = over(PagingCollector(), touch)
    mine = _major_faults() - faults
    if not mine:
        pytest.skip("this file system keeps its pages in memory")

    assert found.core[catalog.METRIC_PAGE_FAULTS_MAJOR] * passed_s >= mine - 0.1


def _major_faults() -> int:
    return int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[9])


def test_a_file_that_is_opened_is_counted(tmp_path: Path) -> None:
    collector = OpenFilesCollector()
    before = collector.collect(now()).core[catalog.METRIC_FILES_OPEN]
    with ExitStack() as stack:
        for number in range(300):
            stack.enter_context((tmp_path / str(number)).open("w"))
        found = collector.collect(now()).core
    collector.close()

    # The kernel keeps a count for each processor and tells of them together only now and then.
    assert found[catalog.METRIC_FILES_OPEN] - before > 100
    assert found[catalog.METRIC_FILES_LIMIT] == int(Path("/proc/sys/fs/file-max").read_text())


def test_sessions_are_those_that_psutil_lists() -> None:
    if not Path("/run/utmp").exists():
        pytest.skip("this system keeps no utmp")

    assert SessionsCollector().collect(now()).core[catalog.METRIC_SESSION_COUNT] == len(psutil.users())


def test_frequency_is_what_psutil_says() -> None:
    collector = FrequencyCollector()
    found = collector.collect(now())
    collector.close()
    said = psutil.cpu_freq()
    if said is None:
        pytest.skip("this machine does not tell how fast its processors are")

    assert found.core[catalog.METRIC_CPU_FREQUENCY] == pytest.approx(said.current * 1e6, rel=0.3)
    assert len(found.series) == psutil.cpu_count()


def test_more_work_than_processors_is_pressure() -> None:
    if not Path("/proc/pressure/cpu").exists():
        pytest.skip("this kernel counts no pressure")
    workers = [
        subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(3 * (os.cpu_count() or 1))
    ]
    try:
        found, _ = over(PressureCollector(), lambda: time.sleep(1.5))
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()

    assert 0.3 < found.core[catalog.METRIC_PRESSURE_CPU_SOME] <= 1
    assert all(0 <= share <= 1 for share in found.core.values())
