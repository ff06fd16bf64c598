"""Columns of numbers as one block of bytes, of which each can be read alone. Pure; knows nothing of what is measured.

A block is a head and one stream after the other, all numbers big-endian:

    version (1 byte, is 1) | type code (1) | columns (2) | rows (4) | an offset (4) for each column, and one for the end
    streams

Offsets count from the beginning of the block, so that a database can cut one column out of it. A stream is a zstandard
frame of planes: the first bytes of all numbers, then the second bytes, and so on, since the first bytes of numbers that
lie one after the other are mostly the same. Whole numbers are steps from the one before. What comes out is bit for bit
what went in. docs/decisions/0007-bytes-per-sample.md has what this was weighed against.
"""

import itertools
import struct
import sys
import threading
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import zstandard

Numbers: TypeAlias = "array[Any]"
"""Of type `d` or `f`, floating point of 8 or 4 bytes, or `q`, whole numbers of 8 bytes."""

WIDTHS = {"d": 8, "f": 4, "q": 8}
"""How many bytes a number takes, by type code."""

HEAD_BYTES = 8  # in front of the offsets
OFFSET_BYTES = 4

_VERSION = 1
_LEVEL = 1  # higher ones save 1 % for up to nine times the time
_HEAD = struct.Struct(">BcHI")


@dataclass(frozen=True, slots=True)
class Directory:
    """What a block holds and where.

    Attributes:
        code: the type of all its numbers.
        rows: how many numbers each column has.
        offsets: where each column's stream begins, and where the last one ends.
    """

    code: str
    rows: int
    offsets: Sequence[int]

    @classmethod
    def read(cls, head: bytes) -> Self:
        """The directory of a block that begins with `head`, which may be all of it. Raises ValueError."""
        if len(head) < HEAD_BYTES:
            raise ValueError(f"a block has a head of {HEAD_BYTES} bytes and more, this one {len(head)}")
        version, code, columns, rows = _HEAD.unpack_from(head)
        if version != _VERSION or code.decode("latin-1") not in WIDTHS:
            raise ValueError(f"a block of version {version} and type {code!r} is not known")
        if len(head) < HEAD_BYTES + OFFSET_BYTES * (columns + 1):
            raise ValueError(f"the head of a block of {columns} columns is cut off")
        return cls(code.decode(), rows, struct.unpack_from(f">{columns + 1}I", head, HEAD_BYTES))

    @property
    def columns(self) -> int:
        """How many columns there are."""
        return len(self.offsets) - 1

    def span(self, column: int) -> slice:
        """Where the stream of a column lies within the block; columns are numbered from 0. Raises IndexError."""
        if not 0 <= column < self.columns:
            raise IndexError(f"column {column} of {self.columns}")
        return slice(self.offsets[column], self.offsets[column + 1])

    def planes(self, stream: bytes) -> bytes:
        """What one column's stream holds, for who puts numbers together otherwise. Raises ValueError as `unpack`."""
        try:
            planes: bytes = _decompressor().decompress(stream)
        except zstandard.ZstdError as error:
            raise ValueError(f"a column is damaged: {error}") from error
        if len(planes) != self.rows * WIDTHS[self.code]:
            raise ValueError(f"a column has {len(planes)} bytes, not those of {self.rows} numbers")
        return planes

    def unpack(self, stream: bytes) -> Numbers:
        """The numbers of one column's stream. Raises ValueError when it is damaged."""
        numbers = _join(self.code, self.rows, self.planes(stream))
        return array("q", itertools.accumulate(numbers)) if self.code == "q" else numbers


def pack(code: str, columns: Sequence[Numbers]) -> bytes:
    """A block of columns of the same length, all of type `code`.

    Raises OverflowError when a step from one whole number to the next takes more than 64 bits.
    """
    rows = len(columns[0]) if columns else 0
    if any(column.typecode != code or len(column) != rows for column in columns):
        raise ValueError(f"a block has columns of one type and one length, here {code} and {rows}")
    return pack_planes(code, rows, map(_split, columns))


def pack_planes(code: str, rows: int, columns: Iterable[bytes | memoryview]) -> bytes:
    """A block of columns that are planes already: the first bytes of all numbers, big-endian, then the second ones.

    For who has numbers as bytes in rows of one width, where a plane is a slice with steps. Whole numbers, which are
    steps in a block, need `pack`.
    """
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    streams = []
    for planes in columns:
        if len(planes) != rows * WIDTHS[code]:
            raise ValueError(f"{rows} numbers of type {code} take {rows * WIDTHS[code]} bytes, here are {len(planes)}")
        streams.append(compressor.compress(planes))
    begin = HEAD_BYTES + OFFSET_BYTES * (len(streams) + 1)
    offsets = list(itertools.accumulate(map(len, streams), initial=begin))
    head = _HEAD.pack(_VERSION, code.encode(), len(streams), rows)
    return b"".join((head, struct.pack(f">{len(offsets)}I", *offsets), *streams))


def unpack(block: bytes) -> list[Numbers]:
    """Every column of a block. Raises ValueError when it is damaged."""
    directory = Directory.read(block)
    return [directory.unpack(block[directory.span(column)]) for column in range(directory.columns)]


def _split(column: Numbers) -> bytes:
    """The planes of a column."""
    if column.typecode == "q":
        column = array("q", [*column[:1], *(after - before for before, after in itertools.pairwise(column))])
    raw, width = column.tobytes(), column.itemsize
    return b"".join(raw[place::width] for place in _places(width))


def _join(code: str, rows: int, planes: bytes) -> Numbers:
    raw = bytearray(len(planes))
    for number, place in enumerate(_places(WIDTHS[code])):
        raw[place :: WIDTHS[code]] = planes[number * rows : (number + 1) * rows]
    return array(code, bytes(raw))


# One for each thread, since two may not use one at once. To make one takes 15 µs, to decompress an hour of a column 3.
_kept = threading.local()


def _decompressor() -> zstandard.ZstdDecompressor:
    if not hasattr(_kept, "decompressor"):
        _kept.decompressor = zstandard.ZstdDecompressor()
    found: zstandard.ZstdDecompressor = _kept.decompressor
    return found


def _places(width: int) -> Sequence[int]:
    """Where the bytes of a number lie in this machine's memory, the most significant one first."""
    return range(width) if sys.byteorder == "big" else range(width - 1, -1, -1)
