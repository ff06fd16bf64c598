"""What a sample costs in forms of the agent's spool: `python -m tests.bench.spool_forms`. See decision 0005."""

import json
import random
import sqlite3
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from agent.spool.disk.fallback import FallbackSpool
from agent.spool.disk.opening import open_spool
from agent.spool.frame import BACKFILL, LIVE, Entry
from agent.spool.lanes.memory import MemorySpool
from agent.spool.lanes.state import State
from agent.spool.limits import SpoolLimits
from agent.spool.spool import Spool
from flick.clock import SystemClock

SAMPLES = 3000
SAMPLE_BYTES = 1500
BACKLOG = 45_000  # of such samples: 64 MiB
RUNS = 3
SECOND_NS = 10**9

PAYLOADS = [random.Random(number).randbytes(SAMPLE_BYTES) for number in range(50)]
STATE = State(spool_id=str(uuid.uuid4())).to_json()


def bare(path: Path, *, synchronous: str = "normal", locking: str = "exclusive", columns: bool = False) -> None:
    """Plain SQLite: a row per sample put, given a place in a lane, and removed, a transaction each."""
    connection = _opened(path, synchronous=synchronous, locking=locking)
    run = connection.execute
    for number in range(1, SAMPLES + 1):
        payload = PAYLOADS[number % len(PAYLOADS)]
        run("insert into samples values (?, null, ?, ?)", (number, zlib.crc32(payload), payload))
        with _transaction(connection):
            run("select payload from samples where id = ?", (number,)).fetchall()
            if columns:
                run("update samples set seq = ? where id = ?", (number, number))
            _save(connection)
        with _transaction(connection):
            run("delete from samples where id = ?", (number,))
            _save(connection)
    connection.close()


def at_once(path: Path) -> None:
    """Plain SQLite: a row per sample put, given its place and the one before removed, all in one transaction."""
    connection = _opened(path, synchronous="normal", locking="exclusive")
    for number in range(1, SAMPLES + 1):
        payload = PAYLOADS[number % len(PAYLOADS)]
        with _transaction(connection):
            connection.execute("delete from samples where id = ?", (number - 1,))
            connection.execute("insert into samples values (?, null, ?, ?)", (number, zlib.crc32(payload), payload))
            _save(connection)
    connection.close()


def _opened(path: Path, *, synchronous: str, locking: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    run = connection.execute
    run(f"pragma locking_mode = {locking}")
    run("pragma auto_vacuum = incremental")
    run("pragma journal_mode = wal")
    run(f"pragma synchronous = {synchronous}")
    run("create table state (one integer primary key, crc integer, document text)")
    run("create table samples (id integer primary key, seq integer, crc integer, payload blob)")
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("begin immediate")
    yield
    connection.execute("commit")


def _save(connection: sqlite3.Connection) -> None:
    document = json.dumps(json.loads(STATE))
    connection.execute("insert or replace into state values (1, ?, ?)", (zlib.crc32(document.encode()), document))


def whole(spool: Spool) -> None:
    """The agent's own spool: put, frame, ack, and the looks at both lanes that the uplink takes besides."""
    for number in range(1, SAMPLES + 1):
        spool.put(Entry(number * SECOND_NS, 0, PAYLOADS[number % len(PAYLOADS)]))
        spool.frame(LIVE, number)
        spool.ack(LIVE, number)
        spool.frame(BACKFILL, 1)
        spool.frame(LIVE, number + 1)


def in_thread(path: Path) -> None:
    """As the agent uses it."""
    with FallbackSpool(path=path, limits=SpoolLimits(), clock=SystemClock()) as spool:
        whole(spool)


FORMS: dict[str, Callable[[Path], None]] = {
    "SQLite alone, places in one state row": bare,
    "SQLite alone, one transaction a sample": at_once,
    "SQLite alone, shared memory lock": lambda path: bare(path, locking="normal"),
    "SQLite alone, place in each row": lambda path: bare(path, columns=True),
    "SQLite alone, synced commits": lambda path: bare(path, synchronous="full"),
    "spool in memory": lambda _: whole(MemorySpool(spool_id=uuid.uuid4())),
    "spool on disk, same thread": lambda path: whole(open_spool(path, limits=SpoolLimits())),
    "spool on disk, thread of its own": in_thread,
}


def main() -> None:
    """Print the table: processor time and time per sample, the best of three runs in turns."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in FORMS}
    for _ in range(RUNS):
        for name, form in FORMS.items():
            with TemporaryDirectory() as folder:
                cpu_s, wall_s = time.process_time(), time.perf_counter()
                form(Path(folder) / "spool.db")
                passed = time.process_time() - cpu_s, time.perf_counter() - wall_s
            found[name].append((passed[0] / SAMPLES * 1e6, passed[1] / SAMPLES * 1e6))
    for name, figures in found.items():
        cpu_us, wall_us = (min(column) for column in zip(*figures, strict=True))
        print(f"{name:<40}{cpu_us:8.0f} us CPU{wall_us:8.0f} us")
    with TemporaryDirectory() as folder:
        _backlog(Path(folder) / "spool.db")


def _backlog(path: Path) -> None:
    spool = open_spool(path, limits=SpoolLimits())
    for number in range(1, BACKLOG + 1):
        spool.put(Entry(number * SECOND_NS, 0, PAYLOADS[number % len(PAYLOADS)]))
    spool.close()
    print(f"{spool.held()} samples waiting: a file of {path.stat().st_size / 2**20:.0f} MiB")
    began_s = time.perf_counter()
    spool = open_spool(path, limits=SpoolLimits())
    print(f"opened and checked in {time.perf_counter() - began_s:.2f} s")
    cpu_s, held, seq = time.process_time(), spool.held(), spool.position(BACKFILL)
    while spool.frame(BACKFILL, seq) is not None:
        spool.ack(BACKFILL, seq)
        seq += 1
    print(f"drained in frames of 60: {(time.process_time() - cpu_s) / held * 1e6:.0f} us CPU a sample")
    spool.close()
    print(f"file afterwards: {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
