"""Columns as PostgreSQL's binary COPY takes them. Pure.

A column is the length of its value in bytes, as a 32-bit integer, and the value; null is the length -1 and no more.
All numbers are big-endian. Source: PostgreSQL's documentation of COPY, "Binary Format", and the types' own receive
functions. asyncpg's records would be encoded value by value; see docs/decisions/0006-wire-and-storage-forms.md.
"""

import math
import struct
import uuid
from collections.abc import Iterator, Sequence

from flick.columns import WIDTHS

NULL = b"\xff\xff\xff\xff"
ROWS_PER_PIECE = 64  # below glibc's threshold of 128 KiB, beyond which every piece would be mapped and unmapped

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no extension
_TRAILER = b"\xff\xff"
_EPOCH_US = 946_684_800_000_000  # PostgreSQL counts from 2000-01-01 in UTC

_pack_length = struct.Struct(">i").pack
_pack_integer = struct.Struct(">ii").pack
_pack_bigint = struct.Struct(">iq").pack
_pack_uuid = struct.Struct(">i16s").pack


def stream(columns: int, rows: Sequence[bytes]) -> Iterator[bytes]:
    """A COPY stream of rows, each of which is its columns one behind the other; in pieces of `ROWS_PER_PIECE` rows."""
    count = struct.pack(">h", columns)  # stands before each row
    yield _HEADER
    for start in range(0, len(rows), ROWS_PER_PIECE):
        yield count.join((b"", *rows[start : start + ROWS_PER_PIECE]))
    yield _TRAILER


def moment(time_ns: int) -> bytes:
    """A timestamptz, of nanoseconds since the Unix epoch. What is finer than a microsecond is cut off."""
    return _pack_bigint(8, time_ns // 1000 - _EPOCH_US)


def identifier(value: uuid.UUID) -> bytes:
    """A uuid."""
    return _pack_uuid(16, value.bytes)


def integer(value: int) -> bytes:
    """An integer of 32 bits."""
    return _pack_integer(4, value)


def blob(value: bytes) -> bytes:
    """A bytea."""
    return _pack_length(len(value)) + value


def numbers(code: str, values: Sequence[float], *, whole: bool) -> bytes:
    """A bytea of numbers side by side, of 8 bytes (`d`) or 4 (`f`). All NaN become the same; `whole`: there is none."""
    if not whole:
        values = [value if value == value else math.nan for value in values]
    return struct.pack(f">i{len(values)}{code}", len(values) * WIDTHS[code], *values)
