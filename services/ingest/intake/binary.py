"""Columns as PostgreSQL's binary COPY takes them. Pure.

A column is the length of its value in bytes, as a 32-bit integer, and the value; null is the length -1 and no more.
All numbers are big-endian. Source: PostgreSQL's documentation of COPY, "Binary Format", and the types' own receive
functions. asyncpg's records would be encoded value by value; see docs/decisions/0006-wire-and-storage-forms.md.
"""

import struct
import uuid
from array import array
from collections.abc import Iterator, Sequence

NULL = b"\xff\xff\xff\xff"
ROWS_PER_PIECE = 64  # below glibc's threshold of 128 KiB, beyond which every piece would be mapped and unmapped

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no extension
_TRAILER = b"\xff\xff"
_EPOCH_US = 946_684_800_000_000  # PostgreSQL counts from 2000-01-01 in UTC
_FLOAT4_OID = 700
_REAL_CELL = b"\0\0\0\x04" + bytes(4)  # an element: its length, and room for its value

_pack_length = struct.Struct(">i").pack
_pack_integer = struct.Struct(">ii").pack
_pack_bigint = struct.Struct(">iq").pack
_pack_uuid = struct.Struct(">i16s").pack
_pack_double = struct.Struct(">id").pack
_pack_array = struct.Struct(">6i").pack


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


def doubles(values: Sequence[float], *, whole: bool) -> bytes:
    """So many columns of double precision. NaN becomes null; `whole`: there is none."""
    if not whole:
        return b"".join(_pack_double(8, value) if value == value else NULL for value in values)
    cells: list[float] = [8] * (2 * len(values))
    cells[1::2] = values
    return struct.pack(">" + "id" * len(values), *cells)


def reals(values: Sequence[float], *, whole: bool) -> bytes:
    """A real[]. NaN becomes null; `whole`: there is none."""
    count = len(values)
    if not count:
        return _pack_length(12) + struct.pack(">iii", 0, 0, _FLOAT4_OID)
    packed = struct.pack(f">{count}f", *values)
    if whole:
        cells = array("I", _REAL_CELL * count)  # moved as they are, four bytes each
        cells[1::2] = array("I", packed)
        elements = cells.tobytes()
    else:
        elements = b"".join(
            _REAL_CELL[:4] + packed[4 * index : 4 * index + 4] if value == value else NULL
            for index, value in enumerate(values)
        )
    return _pack_array(20 + len(elements), 1, int(not whole), _FLOAT4_OID, count, 1) + elements
