"""What the collectors say of this machine, compared with what others say of it."""

import math
import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from agent.catalog import CATALOG, FIRST_LABELLED
from agent.collection import Collection, Readings, Workers, every_collector
from agent.collectors.collector import Measured, Moment
from agent.collectors.portable import PortableCollector
from agent.collectors.processes.busiest import MOST_BY_EACH, ProcessesCollector
from agent.collectors.processes.description import COMMAND_LENGTH
from agent.collectors.processes.pid_list import PidList
from agent.collectors.system.own import OwnCollector
from agent.worker import Worker
from flick.clock import SystemClock
from flick.v1 import catalog_pb2 as catalog
from flick.v1 import telemetry_pb2
from tests.integration.agent.absent import is_excused

MIB = 1024 * 1024


def now() -> Moment:
    clock = SystemClock()
    return Moment(monotonic_s=clock.monotonic_s(), boottime_s=clock.boottime_s())


def over(seconds: float, between: Callable[[], object] = lambda: None) -> Readings:
    """Everything, with rates over some time."""
    with Collection(collectors=every_collector(processes=True, commands=True, workers=Workers())) as collection:
        collection.collect(now())
        until = time.monotonic() + seconds
        between()
        time.sleep(max(0.0, until - time.monotonic()))
        return collection.collect(now())


def scalar(readings: Readings, metric: int) -> float:
    return readings.core[metric - 1]


def labelled(readings: Readings) -> dict[tuple[int, tuple[str, ...]], float]:
    """The series of the catalogue."""
    return {
        (metric, labels): value
        for (metric, labels), value in zip(readings.series, readings.values, strict=True)
        if isinstance(metric, int)
    }


def processes(data: bytes) -> list[telemetry_pb2.Process]:
    return list(telemetry_pb2.ProcessSnapshot.FromString(data).processes)


def burn(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


@pytest.fixture(scope="module")
def readings() -> Readings:
    return over(1.0)


def test_everything_is_measured_and_plausible(readings: Readings) -> None:
    holes = [number for number, value in enumerate(readings.core, 1) if math.isnan(value)]
    missing = [CATALOG[number].name for number in holes if not is_excused(number)]
    shares = [value for number, value in enumerate(readings.core, 1) if CATALOG[number].unit == "1"]

    assert missing == []
    assert all(0 <= value <= 1 or math.isnan(value) for value in shares)
    assert all(value >= 0 or math.isnan(value) for value in readings.core)


def test_every_metric_of_the_system_is_measured_here_or_has_a_reason_not_to_be(readings: Readings) -> None:
    found = {metric for (metric, _), value in labelled(readings).items() if not math.isnan(value)}
    ours = [number for number in CATALOG if FIRST_LABELLED <= number < catalog.METRIC_TEMPERATURE]

    assert [CATALOG[number].name for number in ours if number not in found and not is_excused(number)] == []


def test_the_modes_of_processor_time_add_up(readings: Readings) -> None:
    modes = (
        catalog.METRIC_CPU_UTILIZATION_USER,
        catalog.METRIC_CPU_UTILIZATION_SYSTEM,
        catalog.METRIC_CPU_UTILIZATION_STEAL,
        catalog.METRIC_CPU_UTILIZATION_INTERRUPT,
    )

    assert sum(scalar(readings, mode) for mode in modes) == pytest.approx(
        scalar(readings, catalog.METRIC_CPU_UTILIZATION)
    )


def test_every_processor_has_a_series(readings: Readings) -> None:
    cores = {labels[0]: value for (metric, labels), value in labelled(readings).items() if metric == 500}

    assert len(cores) == psutil.cpu_count() == scalar(readings, catalog.METRIC_CPU_LOGICAL_COUNT)
    assert all(0 <= value <= 1 for value in cores.values())


def test_work_is_seen_as_processor_time_of_the_machine_and_of_the_process() -> None:
    worker = multiprocessing.get_context("spawn").Process(target=burn, args=(60,))
    worker.start()
    try:
        seen = psutil.Process(worker.pid)
        deadline = time.monotonic() + 20
        while seen.cpu_times().user < 0.5 and time.monotonic() < deadline:
            time.sleep(0.05)
        began_s, before_s = time.monotonic(), sum(seen.cpu_times()[:2])
        found = over(3.0)
        worked = (sum(seen.cpu_times()[:2]) - before_s) / (time.monotonic() - began_s)
    finally:
        worker.kill()
        worker.join()
    mine = next(process for process in processes(found.processes) if process.pid == worker.pid)

    # How much it gets depends on what else runs here; that it is told as the kernel gave it does not.
    assert mine.cpu_utilization == pytest.approx(worked, rel=0.2, abs=0.05)
    assert mine.cpu_utilization > 0
    assert scalar(found, catalog.METRIC_CPU_UTILIZATION) * (os.cpu_count() or 1) > worked / 2
    assert processes(found.processes)[0].cpu_utilization >= mine.cpu_utilization


def test_memory_agrees_with_what_psutil_says(readings: Readings) -> None:
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()

    assert scalar(readings, catalog.METRIC_MEMORY_LIMIT) == memory.total
    assert scalar(readings, catalog.METRIC_MEMORY_FREE) == pytest.approx(memory.free, rel=0.2)
    assert scalar(readings, catalog.METRIC_MEMORY_AVAILABLE) == pytest.approx(memory.available, rel=0.2)
    assert scalar(readings, catalog.METRIC_SWAP_LIMIT) == swap.total


def test_the_parts_of_memory_add_up(readings: Readings) -> None:
    parts = (
        catalog.METRIC_MEMORY_USED,
        catalog.METRIC_MEMORY_FREE,
        catalog.METRIC_MEMORY_CACHED,
        catalog.METRIC_MEMORY_BUFFERS,
    )

    assert sum(scalar(readings, part) for part in parts) == scalar(readings, catalog.METRIC_MEMORY_LIMIT)


def test_file_systems_agree_with_what_df_says(readings: Readings) -> None:
    found = labelled(readings)
    mountpoints = {labels[1] for metric, labels in found if metric == catalog.METRIC_FILESYSTEM_USED}
    said = {}
    for mountpoint in mountpoints:
        line = subprocess.run(["df", "-B1", "--output=source,used,avail", mountpoint], capture_output=True, text=True)
        said[mountpoint] = line.stdout.splitlines()[1].split()

    assert "/" in mountpoints
    for (metric, (_, mountpoint)), value in [(key, value) for key, value in found.items() if 510 <= key[0] <= 511]:
        column = 1 if metric == catalog.METRIC_FILESYSTEM_USED else 2
        assert value == pytest.approx(int(said[mountpoint][column]), rel=0.05, abs=64 * MIB)


def test_what_is_sent_to_an_interface_is_counted() -> None:
    interfaces = [name for name in psutil.net_if_addrs() if name != "lo"]
    with_route = [line.split()[0] for line in Path("/proc/net/route").read_text().splitlines()[1:]]
    outward = next((name for name in with_route if name in interfaces), None)
    if outward is None:
        pytest.skip("this machine has no network but loopback")

    def send() -> None:
        # A discard port of the documentation's network: the packets leave the interface and nobody answers.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(200):
                sender.sendto(b"x" * 1000, ("198.51.100.1", 9))

    found = over(1.0, send)
    series = labelled(found)

    assert series[catalog.METRIC_INTERFACE_TRANSMIT, (outward,)] > 100_000
    assert series[catalog.METRIC_INTERFACE_PACKETS_TRANSMIT, (outward,)] > 100
    assert scalar(found, catalog.METRIC_NETWORK_TRANSMIT) > 100_000


def test_loopback_is_not_measured(readings: Readings) -> None:
    assert not any("lo" in labels for _, labels in readings.series)


def test_load_uptime_and_processes_agree_with_the_system(readings: Readings) -> None:
    assert scalar(readings, catalog.METRIC_LOAD_15M) == pytest.approx(os.getloadavg()[2], abs=0.5)
    assert scalar(readings, catalog.METRIC_UPTIME) == pytest.approx(time.time() - psutil.boot_time(), abs=15)
    assert scalar(readings, catalog.METRIC_PROCESS_COUNT) == pytest.approx(len(psutil.pids()), abs=40)


def test_new_processes_are_counted() -> None:
    def start() -> None:
        for _ in range(30):
            subprocess.run([sys.executable, "-S", "-c", ""], check=True)

    found = over(0.5, start)

    assert scalar(found, catalog.METRIC_PROCESS_CREATED) > 5


@contextmanager
def running(*arguments: str) -> Iterator[psutil.Popen]:
    process = psutil.Popen([sys.executable, "-c", *arguments])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


HUNGRY = "import sys, time; kept = bytearray(b'x') * (400 * 1024 * 1024); print('ready', flush=True); time.sleep(60)"


def test_a_process_that_takes_memory_is_listed_as_psutil_sees_it() -> None:
    with running(HUNGRY, "x" * 1000) as hungry:
        deadline = time.monotonic() + 20
        while hungry.memory_info().rss < 390 * MIB and time.monotonic() < deadline:
            time.sleep(0.05)
        found = processes(over(0.5).processes)
        mine = next(process for process in found if process.pid == hungry.pid)

        assert mine.memory_rss == pytest.approx(hungry.memory_info().rss, rel=0.05)
        assert mine.user == hungry.username()
        assert mine.thread_count == hungry.num_threads()
        assert mine.state == "sleeping"
        assert mine.name == hungry.name()
        assert mine.command == " ".join(hungry.cmdline())[:COMMAND_LENGTH]
        assert len(mine.command) == COMMAND_LENGTH


def test_no_more_processes_are_listed_than_twice_ten_and_the_busiest_comes_first(readings: Readings) -> None:
    found = processes(readings.processes)
    shares = [process.cpu_utilization for process in found]

    assert min(MOST_BY_EACH, len(psutil.pids()) // 2) <= len(found) <= 2 * MOST_BY_EACH
    assert shares == sorted(shares, reverse=True)
    assert len({process.pid for process in found}) == len(found)


def test_command_lines_can_be_left_out() -> None:
    collector = ProcessesCollector(with_commands=False, pids=PidList(), worker=Worker())
    collector.collect(now())
    time.sleep(0.2)
    found = processes(collector.collect(now()).processes)

    assert found
    assert not any(process.command for process in found)


def test_the_first_answer_lists_no_processes() -> None:
    assert ProcessesCollector(with_commands=True, pids=PidList(), worker=Worker()).collect(now()) == Measured()


def test_psutil_measures_the_same_where_there_is_no_proc(readings: Readings) -> None:
    portable = PortableCollector()
    with Collection(collectors=[portable]) as collection:
        collection.collect(now())
        time.sleep(0.5)
        twin = collection.collect(now())
    ours, theirs = labelled(readings), labelled(twin)
    filesystems = {key for key in ours if 510 <= key[0] <= 512}
    cores, interfaces = (500,), (520, 521, 522, 523, 528, 529, 530, 531)

    for numbers in (cores, interfaces):
        assert {key for key in ours if key[0] in numbers} == {key for key in theirs if key[0] in numbers}
    assert filesystems & theirs.keys()
    for key in filesystems & theirs.keys():
        assert theirs[key] == pytest.approx(ours[key], rel=0.05, abs=64 * MIB)
    for metric in (catalog.METRIC_MEMORY_LIMIT, catalog.METRIC_SWAP_LIMIT, catalog.METRIC_CPU_LOGICAL_COUNT):
        assert scalar(twin, metric) == scalar(readings, metric)
    assert 0 <= scalar(twin, catalog.METRIC_CPU_UTILIZATION) <= 1


def test_collecting_leaves_no_files_open() -> None:
    before = psutil.Process().num_fds()
    over(0.1)

    assert psutil.Process().num_fds() == before


WRITES = """
import os, sys, time
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
kept = b"x" * (400 * 1024 * 1024)  # or it might not be listed
while True:
    os.pwrite(file, kept[:1048576], 0)
    os.fsync(file)
    time.sleep(0.01)
"""


def test_what_a_process_writes_is_told_as_psutil_sees_it(tmp_path: Path) -> None:
    with running(WRITES, str(tmp_path / "file")) as writer:
        deadline = time.monotonic() + 20
        while writer.io_counters().write_bytes < MIB and time.monotonic() < deadline:
            time.sleep(0.05)
        if not writer.io_counters().write_bytes:
            pytest.skip("nothing that is written here is counted as written to storage")
        collector = ProcessesCollector(with_commands=False, pids=PidList(), worker=Worker())
        collector.collect(now())
        time.sleep(0.2)
        collector.collect(now())
        before, began_s = writer.io_counters().write_bytes, time.monotonic()
        time.sleep(1)
        found = processes(collector.collect(now()).processes)
        expected = (writer.io_counters().write_bytes - before) / (time.monotonic() - began_s)
    mine = next(process for process in found if process.pid == writer.pid)

    assert mine.disk_write == pytest.approx(expected, rel=0.3)
    assert mine.disk_write > 0


def test_what_the_agent_itself_uses_is_told_with_the_programs_that_it_ran() -> None:
    own, began = OwnCollector(), now()
    own.collect(began)
    before_s = sum(os.times()[:4])
    burn(0.3)
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"], check=True)
    ended = now()
    found = own.collect(ended)
    worked = (sum(os.times()[:4]) - before_s) / (ended.monotonic_s - began.monotonic_s)

    assert [labels for _, labels in found.series] == [("flick-agent",)] * 2
    assert found.values[0] == pytest.approx(worked, rel=0.2)
    assert found.values[1] == pytest.approx(psutil.Process().memory_info().rss, rel=0.1)
