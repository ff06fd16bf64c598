"""A spool's shelf in a SQLite file. Every row, layout and state carries a checksum of its own.

Commits are not synced (`synchronous=NORMAL` in WAL mode): the end of the process loses nothing, that of the system at
most what came since the last checkpoint, and then the file is as it was at some moment before.
"""

import sqlite3
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.spool.frame import Lane
from agent.spool.lanes.shelf import Head, Row
from agent.spool.lanes.state import State
from flick.v1 import telemetry_pb2

VERSION = 1
_CACHE_KIB = 256
_WAL_PAGES = 1000  # of 4 KiB: then they are moved into the file, which is when it is synced
_BUSY_S = 0.5
_FREE_PAGES = 256  # 1 MiB: then the file is made shorter
_LOOK_EVERY = 16  # removals
_SET_ASIDE = 60  # samples
_SET_ASIDE_BYTES = 64 * 1024  # of each
_WORD = 0xFFFFFFFF

_SCHEMA = """
create table state (one integer primary key check (one = 1), crc integer not null, document text not null);
create table samples (id integer primary key, time integer not null, layout integer not null, crc integer not null,
    payload blob not null);
create table layouts (id integer primary key, crc integer not null, payload blob not null);
create table set_aside (number integer primary key, lane integer not null, seq integer not null, time integer not null,
    payload blob not null);
"""


class DamagedError(Exception):
    """The file is no spool that this version can go on with. The text says why."""


class SqliteShelf:
    """See `Shelf`. One process has the file, and one thread uses it.

    Args:
        path: the file.

    Raises sqlite3.Error as SQLite does, DamagedError when the file is another version's or not sound.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S, check_same_thread=False)
        self._connection.text_factory = bytes  # a damaged file may hold texts that are none
        self._depth = 0
        self._removals = 0
        self._layouts: set[int] = set()
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        run = self._connection.execute
        run("pragma locking_mode = exclusive")  # no second agent, and no shared memory
        run("pragma auto_vacuum = incremental")
        run(f"pragma cache_size = -{_CACHE_KIB}")
        run("pragma journal_mode = wal")
        run("pragma synchronous = normal")
        run(f"pragma wal_autocheckpoint = {_WAL_PAGES}")
        run(f"pragma journal_size_limit = {_WAL_PAGES * 4096}")
        (version,) = run("pragma user_version").fetchone()
        if version == 0 and run("select count(*) from sqlite_schema").fetchone() == (0,):
            self._connection.executescript(f"begin; {_SCHEMA} pragma user_version = {VERSION}; commit")
        elif version != VERSION:
            raise DamagedError(f"it is of version {version}, not {VERSION}")
        elif (found := run("pragma quick_check(1)").fetchone()) != (b"ok",):
            raise DamagedError(found[0].decode(errors="replace") if found else "it can't be checked")

    def load(self) -> State | None:
        """The state; None when there is none yet. Raises DamagedError."""
        state = read_state(self._connection)
        if state is None and self.head(1, 2**62) is not None:
            raise DamagedError("its state is missing")
        return state

    @contextmanager
    def writing(self) -> Iterator[None]:
        """See `Shelf`."""
        if self._depth == 0:
            self._connection.execute("begin immediate")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            raise
        self._depth -= 1
        if self._depth == 0:
            self._connection.execute("commit")
            if self._removals >= _LOOK_EVERY:
                self._shrink()

    def _shrink(self) -> None:
        self._removals = 0
        (free,) = self._connection.execute("pragma freelist_count").fetchone()
        if free > _FREE_PAGES:
            # Not by execute, which frees one page only: it ends a statement that has no columns after its first step.
            self._connection.executescript(f"pragma incremental_vacuum({free - _FREE_PAGES // 2})")

    def add(self, row: Row) -> None:
        """See `Shelf`."""
        values = (
            row.id,
            row.time_ns,
            row.layout_id,
            _crc(row.id, row.time_ns, row.layout_id, row.payload),
            row.payload,
        )
        self._connection.execute("insert into samples (id, time, layout, crc, payload) values (?, ?, ?, ?, ?)", values)

    def rows(self, first_id: int, last_id: int, *, newest_first: bool = False) -> Iterator[Row]:
        """See `Shelf`."""
        order = "desc" if newest_first else "asc"
        cursor = self._connection.execute(
            f"select id, time, layout, crc, payload from samples where id between ? and ? order by id {order}",  # noqa: S608
            (first_id, last_id),
        )
        try:
            for row_id, time_ns, layout_id, crc, payload in cursor:
                yield read_row(row_id, time_ns, layout_id, crc, payload)
        finally:
            cursor.close()

    def heads(self, first_id: int) -> Iterator[Head]:
        """See `Shelf`."""
        for row_id, time_ns, size in self._connection.execute(
            "select id, time, length(payload) from samples where id >= ? order by id", (first_id,)
        ):
            yield Head(row_id, _integer(time_ns), size or 0)

    def tally(self, first_id: int, last_id: int) -> tuple[int, int]:
        """See `Shelf`."""
        count, size = self._connection.execute(
            "select count(*), total(length(payload)) from samples where id between ? and ?", (first_id, last_id)
        ).fetchone()
        return count, int(size)

    def head(self, first_id: int, last_id: int) -> Head | None:
        """See `Shelf`."""
        found = self._connection.execute(
            "select id, time, length(payload) from samples where id between ? and ? order by id limit 1",
            (first_id, last_id),
        ).fetchone()
        return Head(found[0], _integer(found[1]), found[2] or 0) if found is not None else None

    def remove(self, first_id: int, last_id: int) -> None:
        """See `Shelf`."""
        self._connection.execute("delete from samples where id between ? and ?", (first_id, last_id))
        self._removals += 1

    def set_aside(self, first_id: int, last_id: int, *, lane: Lane, seq: int) -> None:
        """See `Shelf`."""
        self._connection.execute(
            "insert into set_aside (lane, seq, time, payload) select ?, ?, time, substr(payload, 1, ?) from samples"
            " where id between ? and ? order by id limit ?",
            (lane, seq, _SET_ASIDE_BYTES, first_id, last_id, _SET_ASIDE),
        )
        self._connection.execute(
            "delete from set_aside where number <= (select max(number) from set_aside) - ?", (_SET_ASIDE,)
        )

    def layouts(self) -> list[telemetry_pb2.Layout]:
        """See `Shelf`. Those that are damaged are missing."""
        found = list(read_layouts(self._connection))
        self._layouts = {layout.layout_id for layout in found}
        return found

    def add_layout(self, layout: telemetry_pb2.Layout) -> None:
        """See `Shelf`."""
        if layout.layout_id not in self._layouts:
            payload = layout.SerializeToString()
            self._connection.execute(
                "insert or replace into layouts (id, crc, payload) values (?, ?, ?)",
                (layout.layout_id, zlib.crc32(payload, layout.layout_id & _WORD), payload),
            )
            self._layouts.add(layout.layout_id)

    def forget_layouts(self, kept: set[int]) -> None:
        """See `Shelf`."""
        with self.writing():
            for layout_id in self._layouts - kept:
                self._connection.execute("delete from layouts where id = ?", (layout_id,))
        self._layouts &= kept

    def layouts_in_use(self) -> set[int]:
        """See `Shelf`."""
        return {layout_id for (layout_id,) in self._connection.execute("select distinct layout from samples")}

    def save(self, state: State) -> None:
        """See `Shelf`."""
        document = state.to_json()
        self._connection.execute(
            "insert or replace into state (one, crc, document) values (1, ?, ?)",
            (zlib.crc32(document.encode()), document),
        )

    def close(self) -> None:
        """See `Shelf`."""
        self._connection.close()


def read_state(connection: sqlite3.Connection) -> State | None:
    """The state in a file; None when there is none. Raises DamagedError."""
    found = connection.execute("select crc, document from state").fetchone()
    if found is None:
        return None
    crc, document = found
    if not isinstance(document, bytes) or zlib.crc32(document) != crc:
        raise DamagedError("its state is damaged")
    return State.from_json(document.decode())


def read_layouts(connection: sqlite3.Connection) -> Iterator[telemetry_pb2.Layout]:
    """The layouts in a file, but for those that are damaged."""
    for layout_id, crc, payload in connection.execute("select id, crc, payload from layouts"):
        if isinstance(payload, bytes) and zlib.crc32(payload, layout_id & _WORD) == crc:
            yield telemetry_pb2.Layout.FromString(payload)


def read_row(row_id: int, time_ns: object, layout_id: object, crc: object, payload: object) -> Row:
    """What the columns of a row say. A damaged file may hold values of any type."""
    if not isinstance(time_ns, int) or not isinstance(layout_id, int) or not isinstance(payload, bytes):
        return Row(row_id, _integer(time_ns), 0, b"", sound=False)
    return Row(row_id, time_ns, layout_id, payload, sound=_crc(row_id, time_ns, layout_id, payload) == crc)


def _crc(row_id: int, time_ns: int, layout_id: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(struct.pack("<qqq", row_id, time_ns, layout_id)))


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0
