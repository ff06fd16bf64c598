"""While the disk can't be used the agent goes on in memory, counts exactly, and puts everything down afterwards."""

import logging
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from agent.spool.disk.fallback import WITHIN_S, FallbackSpool
from agent.spool.frame import BACKFILL, LIVE
from agent.spool.limits import SpoolLimits
from flick.v1 import ingest_pb2
from flick.v1.servers_pb2 import ServerSettings
from tests.unit.agent.clock import HandClock
from tests.unit.agent.spool.spools import LIMITS, MARK, SERIES, S, drain, entry, on_disk, seconds, span
from tests.waiting import until

DISK_BYTES = 4 * 1024 * 1024
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("a tmpfs can't be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_up(ballast: Path) -> None:
    """Leave no room on a disk."""
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


class Agent:
    """A spool that may fall back, and a clock to turn."""

    def __init__(self, path: Path, *, in_memory: SpoolLimits = LIMITS, within_s: float = WITHIN_S) -> None:
        self.clock = HandClock()
        self.spool = FallbackSpool(
            path=path, limits=SpoolLimits(), clock=self.clock, in_memory=in_memory, within_s=within_s
        )
        self.second = 0

    def measure(self, count: int, *, size: int = 100, layout_id: int = 0) -> None:
        for _ in range(count):
            self.second += 5
            self.clock.pass_by(5)
            self.spool.put(entry(self.second, size=size, layout_id=layout_id))

    def measured_on_disk(self) -> bool:
        self.measure(1)
        return not self.degraded

    @property
    def degraded(self) -> str:
        return self.spool.status().degraded_reason

    def adds_up(self) -> bool:
        status = self.spool.status()
        gone = status.acked_samples + status.dropped_samples + status.refused_samples + status.corrupt_samples
        return status.taken_samples == gone + status.held_samples


def delivered(spool: FallbackSpool) -> list[float]:
    """Everything that the spool gives, acked at once; in the order of time."""
    spool.demote()
    found: list[float] = []
    seq = spool.position(BACKFILL)
    while (frame := spool.frame(BACKFILL, seq)) is not None:
        found += seconds(frame)
        spool.ack(BACKFILL, seq)
        seq += 1
    return sorted(found)


@needs_root
def test_a_full_disk_keeps_samples_in_memory_and_takes_them_when_there_is_room(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        agent = Agent(small_disk / "spool.db", in_memory=replace(LIMITS, max_bytes=1_000_000))
        with agent.spool:
            first_id = agent.spool.spool_id
            agent.measure(5, size=1000)
            ballast = small_disk / "ballast"
            fill_up(ballast)
            agent.measure(200, size=1000)
            reason, in_memory_id, held = agent.degraded, agent.spool.spool_id, agent.spool.status().held_samples
            added_up = agent.adds_up()
            ballast.unlink()
            agent.measure(3, size=1000)
            back = (agent.degraded, agent.spool.spool_id, agent.spool.held())
            times = delivered(agent.spool)

    assert "the disk is full" in reason
    assert in_memory_id != first_id
    assert held == 205
    assert added_up
    assert back == ("", first_id, 208)
    assert times == [5.0 * number for number in range(1, 209)]
    assert caplog.text.count("kept in memory only") == 1
    assert "on disk again" in caplog.text


@needs_root
def test_on_a_read_only_disk_the_memory_ring_drops_the_oldest_and_counts_exactly(small_disk: Path) -> None:
    agent = Agent(small_disk / "spool.db")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with agent.spool:
        agent.measure(50)
        status = agent.spool.status()
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
        agent.measure(3)
        after = agent.spool.status()
        agent.spool.demote()
        gap = agent.spool.frame(BACKFILL, 1)

    assert "Read-only" in status.degraded_reason
    assert (status.taken_samples, status.held_samples, status.dropped_samples) == (50, 20, 30)
    assert (after.degraded_reason, after.taken_samples, after.held_samples) == ("", 53, 53 - after.dropped_samples)
    assert gap is not None
    assert gap.loss is not None
    assert gap.loss.dropped == after.dropped_samples


def test_a_folder_that_can_not_be_written_is_no_reason_not_to_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    agent = Agent(tmp_path / "file" / "spool.db")
    with agent.spool:
        agent.spool.begin(MARK)
        agent.measure(3)
        reason = agent.degraded
        (tmp_path / "file").unlink()
        agent.measure(3)

        assert "file" in reason
        assert agent.degraded == ""
        assert delivered(agent.spool) == [5, 10, 15, 20, 25, 30]
        assert agent.adds_up()


def test_what_was_acked_in_memory_is_not_sent_again_and_layouts_keep_their_meaning(tmp_path: Path) -> None:
    before = on_disk(tmp_path / "spool.db")
    before.layout_id(SERIES)
    agent = Agent(tmp_path / "spool.db")
    with agent.spool:
        layout_id = agent.spool.layout_id(SERIES[:1])
        agent.measure(1, layout_id=layout_id)
        agent.spool.frame(LIVE, 1)
        agent.spool.ack(LIVE, 1)
        agent.measure(1, layout_id=layout_id)
        before.close()
        agent.measure(3, layout_id=layout_id)
        agent.spool.demote()
        frame = agent.spool.frame(BACKFILL, 1)
        assert frame is not None
        series = [list(agent.spool.layout(held.layout_id).series) for held in frame.entries]

    assert seconds(frame) == [10, 15, 20, 25]
    assert all([list(one.label_values) for one in found] == [["0"]] for found in series)


async def test_a_disk_that_does_not_answer_holds_up_nobody_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Agent(tmp_path / "spool.db", in_memory=SpoolLimits(), within_s=0.5)
    answering = threading.Event()
    with agent.spool:
        agent.measure(2)
        disk = agent.spool._disk
        assert disk is not None
        put = disk.put
        monkeypatch.setattr(disk, "put", lambda one: (answering.wait(), put(one)))
        agent.measure(4)
        reason, held = agent.degraded, agent.spool.status().held_samples
        answering.set()
        await until(agent.measured_on_disk)
        times = delivered(agent.spool)

    assert "does not answer" in reason
    assert held == 6
    assert times == [5.0 * number for number in range(1, len(times) + 1)], "each once"
    assert len(times) > 6


def test_damage_while_it_runs_is_survived(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    before = on_disk(path, SpoolLimits())
    for second in range(-1000, 0):
        before.put(replace(entry(2000 + second, size=1500)))
    before.close()
    agent = Agent(path)
    agent.second = 3000
    with agent.spool:
        with path.open("r+b") as file:
            file.seek(4096 * 100)
            file.write(bytes(4096 * 50))
        times = delivered(agent.spool)
        agent.measure(3)
        times += delivered(agent.spool)
        status = agent.spool.status()
        told = status.corrupt_samples

    assert len(times) > 700
    assert {3005.0, 3010.0, 3015.0} <= set(times)
    assert told > 0
    assert status.degraded_reason == ""
    assert status.held_samples == 0


def test_samples_taken_in_memory_are_moved_when_the_clock_is_corrected(tmp_path: Path) -> None:
    blocking = on_disk(tmp_path / "spool.db")
    agent = Agent(tmp_path / "spool.db")
    with agent.spool:
        agent.spool.begin(replace(MARK, corrected=False))
        agent.measure(2)
        agent.spool.settle(MARK, moved_ns=3600 * S, now_ns=3700 * S)
        agent.second = 3700
        agent.measure(1)
        blocking.close()
        agent.measure(2)

        assert delivered(agent.spool) == [3605, 3610, 3705, 3710, 3715]
        assert agent.spool.mark == MARK


def test_a_stop_and_new_settings_are_put_down_by_a_disk_that_comes_back_before_the_first_sample(
    tmp_path: Path,
) -> None:
    blocking = on_disk(tmp_path / "spool.db")
    blocking.put(entry(5))
    agent = Agent(tmp_path / "spool.db")
    agent.second = 100
    with agent.spool:
        agent.spool.begin(MARK)
        agent.spool.keep_settings(ServerSettings(processes_enabled=True))
        blocking.close()
        agent.clock.pass_by(60)
        agent.measure(1)
        gap = agent.spool.frame(BACKFILL, 1)
    after = on_disk(tmp_path / "spool.db")

    assert gap is not None
    assert gap.loss is not None
    assert gap.loss.reason == ingest_pb2.GAP_REASON_AGENT_STOPPED
    assert span(gap.loss) == (5, 105, 0)
    assert after.settings == ServerSettings(processes_enabled=True)


def test_closing_puts_down_what_is_in_memory(tmp_path: Path) -> None:
    blocking = on_disk(tmp_path / "spool.db")
    agent = Agent(tmp_path / "spool.db")
    with agent.spool:
        agent.measure(2)
        blocking.close()
    after = on_disk(tmp_path / "spool.db")

    assert [seconds(frame) for frame in drain(after) if frame.entries] == [[5, 10]]
    assert ingest_pb2.GAP_REASON_SPOOL_FULL not in {loss.reason for loss in after.losses()}
