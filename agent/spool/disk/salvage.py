"""Reads what can be read of a damaged spool into a new one."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from agent.spool.disk.sqlite_shelf import DamagedError, SqliteShelf, read_layouts, read_row, read_state
from agent.spool.frame import Loss
from agent.spool.lanes.state import State
from flick.v1 import ingest_pb2

T = TypeVar("T")
_PROBING_S = 0.3  # an agent starts within a second
_MOST_AT_ONCE = 64  # samples that are passed over in search of the next that can be read

_COLUMNS = "select id, time, layout, crc, payload from samples where id between ? and ? order by id"


def salvage(*, damaged: Path, into: SqliteShelf, fresh: State) -> tuple[State, int]:
    """Put what can be read of the file `damaged` into an empty shelf; its state, or `fresh`, and how much was read.

    When the state could not be read, samples that could not be read are not known in number; a loss says so.
    """
    connection = sqlite3.connect(damaged, isolation_level=None)
    connection.text_factory = bytes
    try:
        connection.execute("pragma locking_mode = exclusive")
        with into.writing():
            return _copy(connection, damaged, into, fresh)
    except sqlite3.DatabaseError:
        return _unknown(fresh, damaged, unreadable=0), 0
    finally:
        connection.close()


def _copy(connection: sqlite3.Connection, damaged: Path, into: SqliteShelf, fresh: State) -> tuple[State, int]:
    state = _unless_damaged(lambda: read_state(connection))
    for layout in _unless_damaged(lambda: list(read_layouts(connection))) or []:
        into.add_layout(layout)
    read = unreadable = last_id = 0
    for found in _rows(connection):
        row = read_row(*found)
        last_id = max(last_id, row.id)
        if row.sound:
            read += 1
            into.add(row)
        else:
            unreadable += 1
    if state is None:
        state = _unknown(fresh, damaged, unreadable=unreadable)
        state.last_id = last_id
        state.counts.taken = read + unreadable
        state.counts.corrupt = unreadable
    into.save(state)
    return state, read


def _unknown(fresh: State, damaged: Path, *, unreadable: int) -> State:
    """Nobody knows what else was there: a gap from the last time that the file was written, to the next sample."""
    written_ns = int(damaged.stat().st_mtime_ns)
    fresh.losses.add(Loss(written_ns, 0, ingest_pb2.GAP_REASON_SPOOL_CORRUPT, unreadable), most=1)
    return fresh


def _rows(connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """From the oldest on until one can't be read, from the newest back likewise, and what is found in between."""
    low, high = 0, 2**62
    try:
        for found in connection.execute(_COLUMNS, (low, high)):
            low = found[0]
            yield found
    except sqlite3.DatabaseError:
        pass
    else:
        return
    try:
        for found in connection.execute(_COLUMNS + " desc", (low + 1, high)):
            high = found[0]
            yield found
    except sqlite3.DatabaseError:
        pass
    if high < 2**62:
        yield from _between(connection, low + 1, high - 1)


def _between(connection: sqlite3.Connection, low: int, high: int) -> Iterator[tuple[Any, ...]]:
    until_s, step = time.monotonic() + _PROBING_S, 1
    while low <= high and time.monotonic() < until_s:
        try:
            for found in connection.execute(_COLUMNS, (low, high)):
                low, step = found[0] + 1, 1
                yield found
        except sqlite3.DatabaseError:
            low, step = low + step, min(2 * step, _MOST_AT_ONCE)
        else:
            return


def _unless_damaged(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except (sqlite3.DatabaseError, DamagedError):
        return None
