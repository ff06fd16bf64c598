"""What is on disk outlives the agent: frames with their places, gaps, counts, the clock."""

import random
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration

from agent.spool.disk.fallback import FallbackSpool
from agent.spool.disk.opening import UnavailableError, open_spool, spool_name
from agent.spool.frame import BACKFILL, LIVE
from agent.spool.limits import SpoolLimits
from agent.spool.spool import UnknownSeqError
from flick.v1 import ingest_pb2
from flick.v1.servers_pb2 import ServerSettings
from tests.unit.agent.clock import HandClock
from tests.unit.agent.spool.spools import LIMITS, MARK, SERIES, S, adds_up, copied, drain, entry, on_disk, seconds, span

WITHOUT_COMMANDS = ServerSettings(metric_interval=Duration(seconds=60), processes_enabled=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


@pytest.mark.parametrize("closed", [True, False], ids=["stopped", "killed"])
def test_frames_keep_lane_seq_and_content_over_a_restart(path: Path, closed: bool) -> None:
    before = on_disk(path)
    layout_id = before.layout_id(SERIES)
    for second in range(1, 8):
        before.put(entry(second, layout_id=layout_id))
    frames = [before.frame(LIVE, 1), before.frame(BACKFILL, 1)]
    before.put(entry(8))
    before.frame(LIVE, 2)
    before.ack(LIVE, 1)
    status = before.status()
    if closed:
        before.close()
    after = on_disk(path if closed else copied(path, path.with_name("copy.db")))

    assert after.spool_id == before.spool_id
    assert after.status() == status
    assert (after.position(LIVE), after.position(BACKFILL)) == (2, 1)
    assert after.frame(BACKFILL, 1) == frames[1]
    assert seconds(after.frame(LIVE, 2)) == [8]
    assert after.frame(LIVE, 3) is None, "what waits is backlog"
    assert after.layout_id(SERIES) == layout_id
    assert after.layout(layout_id) == before.layout(layout_id)


def test_a_place_given_as_the_sample_was_put_outlives_a_kill(path: Path) -> None:
    before = on_disk(path)
    before.frame(LIVE, 1)
    before.put(entry(1))
    after = on_disk(copied(path, path.with_name("copy.db")))
    after.put(entry(2))

    assert seconds(after.frame(LIVE, 1)) == [1]
    assert after.frame(LIVE, 1) == before.frame(LIVE, 1)
    assert seconds(after.frame(LIVE, 2)) == [2]


@pytest.mark.parametrize("closed", [True, False], ids=["stopped", "killed"])
def test_what_was_acked_is_at_most_sent_once_more_under_its_old_number(path: Path, closed: bool) -> None:
    with FallbackSpool(path=path, limits=LIMITS, clock=HandClock()) as before:
        for second in (1, 2, 3):
            before.frame(LIVE, second)
            before.put(entry(second))
            sent = before.frame(LIVE, second)
            before.ack(LIVE, second)
        copy = copied(path, path.with_name("copy.db"))
    after = on_disk(path if closed else copy)

    assert after.held() == (0 if closed else 1)
    assert after.position(LIVE) == (4 if closed else 3)
    assert adds_up(after)
    if not closed:
        assert after.frame(LIVE, 3) == sent


def test_asking_where_a_lane_stands_notes_what_was_acked(path: Path) -> None:
    with FallbackSpool(path=path, limits=LIMITS, clock=HandClock()) as spool:
        spool.put(entry(1))
        spool.frame(LIVE, 1)
        spool.ack(LIVE, 1)

        assert (spool.position(LIVE), spool.held()) == (2, 0)
        with pytest.raises(UnknownSeqError, match="never sent"):
            spool.ack(LIVE, 2)


def test_gaps_are_told_after_a_restart(path: Path) -> None:
    before = on_disk(path)
    before.put(entry(1))
    before.lose(ingest_pb2.GAP_REASON_OVERLOADED, start_ns=2 * S)
    before.put(entry(5))
    before.lose(ingest_pb2.GAP_REASON_OVERLOADED, start_ns=6 * S)
    gap = before.frame(BACKFILL, 1)
    after = on_disk(copied(path, path.with_name("copy.db")))
    after.put(entry(9))

    assert after.frame(BACKFILL, 1) == gap
    assert [span(frame.loss) for frame in (gap, after.frame(BACKFILL, 2)) if frame] == [(2, 5, 0), (6, 9, 0)]


def test_a_frame_set_aside_stays_so_after_a_restart(path: Path) -> None:
    before = on_disk(path)
    before.put(entry(1))
    before.frame(LIVE, 1)
    for _ in range(2):
        before.refuse(LIVE, 1)
    between = on_disk(copied(path, path.with_name("copy.db")))
    between.refuse(LIVE, 1)
    after = on_disk(copied(path.with_name("copy.db"), path.with_name("another.db")))
    frame = after.frame(LIVE, 1)

    assert frame is not None
    assert frame.loss is not None
    assert after.status().refused_samples == 1
    assert adds_up(after)


def test_the_clock_goes_on_where_it_was(path: Path) -> None:
    before = on_disk(path)
    before.begin(MARK)
    before.put(entry(77))
    after = on_disk(copied(path, path.with_name("copy.db")))

    assert after.mark == MARK
    assert after.last_ns == 77 * S


def test_the_servers_settings_are_known_after_a_restart(path: Path) -> None:
    before = on_disk(path)
    unknown = before.settings
    before.keep_settings(WITHOUT_COMMANDS)
    after = on_disk(copied(path, path.with_name("copy.db")))

    assert unknown is None
    assert after.settings == WITHOUT_COMMANDS


@pytest.mark.parametrize("closed", [True, False], ids=["stopped", "lost power"])
def test_after_the_systems_unclean_end_sequences_have_another_name(path: Path, closed: bool) -> None:
    before = on_disk(path)
    before.begin(MARK)
    before.put(entry(1))
    if closed:
        before.close()
    after = on_disk(path if closed else copied(path, path.with_name("copy.db")))
    after.begin(replace(MARK, boot_id="next"))

    assert (after.spool_id == before.spool_id) == closed
    assert after.held() == 1


def test_another_process_can_not_have_the_same_spool(path: Path) -> None:
    first = on_disk(path)
    first.put(entry(1))

    with pytest.raises(UnavailableError, match="in use by another process"):
        open_spool(path, limits=LIMITS)
    assert first.held() == 1


def test_the_file_is_private_and_names_its_server(path: Path) -> None:
    private = on_disk(path)
    private.put(entry(1))

    assert private.held() == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.with_name("spool.db-wal").stat().st_mode) == 0o600
    assert spool_name("0193-ab") == "spool-0193-ab.db"
    assert spool_name("../x") == "spool-___x.db"


def test_the_file_shrinks_when_the_backlog_is_gone(path: Path) -> None:
    rng = random.Random(1)
    full = on_disk(path, SpoolLimits())
    for second in range(1, 4001):
        full.put(replace(entry(second), payload=rng.randbytes(1500)))
    full.close()
    large = path.stat().st_size
    again = on_disk(path, SpoolLimits())
    drain(again)
    again.close()

    assert large > 6_000_000
    assert path.stat().st_size < large / 3
