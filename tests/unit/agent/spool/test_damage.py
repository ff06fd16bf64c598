"""A damaged spool never keeps the agent from starting; what can be read is sent, the rest is counted and a gap."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.spool.frame import BACKFILL, LIVE
from agent.spool.lanes.laned import LanedSpool
from agent.spool.limits import SpoolLimits
from flick.v1 import ingest_pb2
from tests.unit.agent.spool.spools import SERIES, adds_up, copied, drain, entry, on_disk, seconds

SEED = 20_261
CORRUPT = ingest_pb2.GAP_REASON_SPOOL_CORRUPT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


def fill(path: Path, *, count: int = 400, closed: bool = True) -> LanedSpool:
    """A spool with `count` samples of 500 bytes, some of them handed out."""
    rng = random.Random(SEED)
    full = on_disk(path, SpoolLimits(frame_samples=20))
    layout_id = full.layout_id(SERIES)
    for second in range(1, count + 1):
        one = entry(second, layout_id=layout_id)
        full.put(type(one)(one.time_ns, one.layout_id, rng.randbytes(500)))
    full.frame(LIVE, 1)
    full.frame(BACKFILL, 1)
    if closed:
        full.close()
    return full


def damage_row(path: Path, second: int) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("update samples set payload = zeroblob(10) where id = ?", (second,))
    connection.close()


def test_a_record_that_can_not_be_read_back_is_counted_and_becomes_a_gap(path: Path) -> None:
    before = on_disk(path)
    for second in range(1, 5):
        before.put(entry(second))
    before.close()
    damage_row(path, 2)
    after = on_disk(path)
    frames = drain(after)
    losses = [frame.loss for frame in frames if frame.loss is not None]

    assert [seconds(frame) for frame in frames if frame.entries] == [[1, 3, 4]]
    assert [(loss.reason, loss.dropped, loss.start_ns, loss.end_ns) for loss in losses] == [
        (CORRUPT, 1, 2 * 10**9, 3 * 10**9)
    ]
    assert after.status().corrupt_samples == 1
    assert adds_up(after)


def test_a_frame_on_its_way_is_sent_again_without_what_can_not_be_read(path: Path) -> None:
    before = on_disk(path)
    for second in range(1, 4):
        before.put(entry(second))
    before.frame(LIVE, 1)
    before.close()
    damage_row(path, 2)
    after = on_disk(path)

    assert seconds(after.frame(LIVE, 1)) == [1, 3]
    assert after.status().corrupt_samples == 1
    assert adds_up(after)


def test_rows_that_are_gone_are_counted_and_become_a_gap(path: Path) -> None:
    before = on_disk(path)
    for second in range(1, 10):
        before.put(entry(second))
    before.close()
    with sqlite3.connect(path) as connection:
        connection.execute("delete from samples where id in (4, 5)")
    connection.close()
    after = on_disk(path)
    losses = after.losses()

    assert (after.status().corrupt_samples, after.held()) == (2, 7)
    assert [(loss.reason, loss.dropped) for loss in losses] == [(CORRUPT, 2)]
    assert 3 * 10**9 < losses[0].start_ns <= 4 * 10**9
    assert losses[0].end_ns == 6 * 10**9
    assert adds_up(after)


def half(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def other_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("pragma user_version = 99")
    connection.close()


def other_schema(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("drop table samples")
    connection.close()


def lost_state(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("update state set document = '{}'")
    connection.close()


WAYS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "half": half,
    "one page": lambda path: path.write_bytes(path.read_bytes()[:4096]),
    "no database": lambda path: path.write_bytes(b"no database at all" * 1000),
    "other schema": other_schema,
    "lost state": lost_state,
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
}


@pytest.mark.parametrize("way", list(WAYS))
def test_a_file_that_can_not_be_used_is_put_aside_and_the_agent_goes_on(path: Path, way: str) -> None:
    fill(path)
    WAYS[way](path)
    after = on_disk(path, SpoolLimits())
    after.put(entry(10_000))
    told = {loss.reason for loss in after.losses()}
    drained = drain(after, BACKFILL, LIVE)

    assert CORRUPT in told
    assert path.with_name("spool.db.damaged-1").exists()
    assert max(held.time_ns for frame in drained for held in frame.entries) == 10_000 * 10**9
    assert adds_up(after)


def test_of_another_versions_spool_the_samples_that_can_be_read_are_sent(path: Path) -> None:
    fill(path)
    other_version(path)
    after = on_disk(path, SpoolLimits())

    assert path.with_name("spool.db.damaged-1").exists()
    assert after.held() == 400


def test_without_its_state_every_sample_is_still_sent(path: Path) -> None:
    fill(path)
    lost_state(path)
    after = on_disk(path)

    assert after.held() == 400


def test_what_was_put_aside_is_bounded(path: Path) -> None:
    for _ in range(5):
        on_disk(path).close()
        path.write_bytes(b"no database at all" * 1000)
        on_disk(path).close()

    assert sorted(found.name for found in path.parent.iterdir()) == [
        "spool.db",
        "spool.db.damaged-1",
        "spool.db.damaged-2",
    ]


def test_without_its_wal_the_spool_is_as_it_was_at_some_moment_before(path: Path) -> None:
    filled = fill(path, closed=False)
    copy = copied(path, path.with_name("copy.db"))
    copy.with_name("copy.db-wal").unlink()
    after = on_disk(copy)
    after.put(entry(10_000))

    assert 1 <= after.held() <= filled.held() + 1
    assert adds_up(after)


def spoil(data: bytearray, rng: random.Random) -> bytearray:
    """Some bytes flipped, a stretch overwritten, or the end cut off."""
    if not data:
        return data
    match rng.randrange(4):
        case 0:
            for _ in range(rng.choice((1, 8, 64))):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case 1:
            start = rng.randrange(len(data))
            data[start : start + rng.choice((16, 512, 4096))] = rng.randbytes(min(16, len(data) - start))
        case 2:
            del data[rng.randrange(len(data)) :]
        case 3:
            start = rng.randrange(len(data)) // 4096 * 4096
            data[start : start + 4096] = bytes(len(data[start : start + 4096]))
    return data


@pytest.mark.parametrize("closed", [True, False], ids=["stopped", "killed"])
def test_random_damage_never_keeps_the_agent_from_starting(path: Path, closed: bool, long_form: bool) -> None:
    rng = random.Random(SEED)
    filled = fill(path, closed=closed)  # kept: one that is forgotten closes its file
    sides = [side for side in ("", "-wal") if path.with_name(path.name + side).exists()]
    read = []
    for number in range(100 if long_form else 12):
        folder = path.parent / str(number)
        folder.mkdir()
        copy = copied(path, folder / "spool.db")
        side = rng.choice(sides)
        spoiled = copy.with_name(copy.name + side)
        spoiled.write_bytes(spoil(bytearray(spoiled.read_bytes()), rng))
        after = on_disk(copy, SpoolLimits())
        after.put(entry(10_000))
        frames = drain(after, LIVE, BACKFILL)
        times = [held.time_ns for frame in frames for held in frame.entries]
        read.append(len(times))
        assert len(times) == len(set(times))
        assert 10_000 * 10**9 in times
        assert after.held() == 0
        assert adds_up(after)
        after.close()
        again = on_disk(copy, SpoolLimits())
        assert adds_up(again)
        again.close()
        shutil.rmtree(folder)

    assert sum(read) / len(read) > filled.held() / 2, "most of what is there can be read"
