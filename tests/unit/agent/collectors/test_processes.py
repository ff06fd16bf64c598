"""Which processes are listed, and what is told of them."""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.collectors.processes import table, transfers
from agent.collectors.processes.busiest import ProcessesCollector
from agent.collectors.processes.pid_list import PidList
from agent.collectors.processes.table import ProcessTable
from agent.worker import Worker
from flick.v1 import telemetry_pb2
from tests.unit.agent.collectors.moments import at


def test_a_process_name_may_hold_parentheses_and_blanks() -> None:
    found = table.parse(
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

    def collector(self, *, worker: Worker | None = None) -> ProcessesCollector:
        pids = PidList(root=self.root)
        return ProcessesCollector(with_commands=True, pids=pids, worker=worker or Worker(), root=self.root)

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


def test_a_command_line_that_can_not_be_read_now_leaves_the_process_listed_by_its_name(procs: Procs) -> None:
    collector = procs.collector(worker=Worker(within_s=0.05))
    procs.put(1, ticks=0)
    (procs.root / "1" / "cmdline").unlink()
    os.mkfifo(procs.root / "1" / "cmdline")  # opening it blocks until somebody writes
    procs.listed(collector, 1)
    hung = procs.listed(collector, 2)[1]
    again = procs.listed(collector, 3)[1]
    (procs.root / "1" / "cmdline").open("wb").close()

    assert (hung.name, hung.command) == (again.name, again.command) == ("prog", "")


def test_a_process_that_ended_is_listed_no_more_and_its_file_is_closed(procs: Procs) -> None:
    collector = procs.collector()
    for pid in (1, 2):
        procs.put(pid, ticks=0)
    procs.listed(collector, 1)
    shutil.rmtree(procs.root / "2")
    found = procs.listed(collector, 2)
    links = _open_files()

    assert list(found) == [1]
    assert procs.root / "1" / "stat" in links
    assert not any(link.is_relative_to(procs.root / "2") for link in links)


def test_no_more_files_are_kept_open_than_a_part_of_what_a_process_may(procs: Procs) -> None:
    collector = procs.collector()
    for pid in range(1, 301):
        procs.put(pid, ticks=0)
    procs.listed(collector, 1)
    procs.put(300, ticks=50)
    found = procs.listed(collector, 2)
    kept = [link for link in _open_files() if link.is_relative_to(procs.root)]
    collector.close()

    assert found[300].cpu_utilization == pytest.approx(0.5)
    assert len(kept) == 200
    assert not any(link.is_relative_to(procs.root) for link in _open_files())


def test_a_number_that_another_process_has_by_now_is_read_anew() -> None:
    table = ProcessTable()
    first = subprocess.Popen(["sleep", "60"])
    pid = str(first.pid)
    before = table.read([pid])
    first.kill()
    first.wait()
    with subprocess.Popen(["sleep", "60"]) as second:
        # As if the kernel had given the number again: the file that is kept open is the dead one's.
        table._open[str(second.pid)] = table._open.pop(pid)
        after = table.read([str(second.pid)])
        second.kill()
    table.close()

    assert [stat.name for stat in (*before, *after)] == [b"sleep", b"sleep"]
    assert after[0].pid == second.pid != before[0].pid


def _open_files() -> list[Path]:
    """What this process has open."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that by which the folder is read
            found.append(link.readlink())
    return found


IO = "rchar: 9\nwchar: 9\nsyscr: 9\nsyscw: 9\nread_bytes: {}\nwrite_bytes: {}\ncancelled_write_bytes: 0\n"


def test_what_a_process_reads_and_writes_is_that_since_the_moment_before(procs: Procs) -> None:
    collector = procs.collector()
    procs.put(1, ticks=1)
    procs.put(2, ticks=1)
    told = []
    for seconds, (read, written) in ((1, (0, 0)), (3, (4096, 1000)), (5, (4096 + 8192, 1000)), (6, (0, 0))):
        (procs.root / "1/io").write_text(IO.format(read, written))
        found = procs.listed(collector, seconds)
        told += [(found[1].HasField("disk_read"), found[1].disk_read, found[1].disk_write)] if found else []

    assert told == [(True, 2048, 500), (True, 4096, 0), (False, 0, 0)]
    assert not found[2].HasField("disk_read")


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_what_the_kernel_counts_is_read(read: int, written: int) -> None:
    assert transfers.parse(IO.format(read, written).encode()) == (read, written)


@given(st.binary(max_size=100))
def test_what_is_no_such_count_is_no_answer(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
        transfers.parse(text)
