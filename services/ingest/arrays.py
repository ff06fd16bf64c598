"""Blocks of `flick.columns` as arrays of numbers: one row of an array for each column of the block. Pure.

For who works on all columns of a block at once, where a Python object for each number would cost more than the work.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import zstandard

from flick import columns

Numbers: TypeAlias = npt.NDArray[Any]
"""Of one or two dimensions, of floats or whole numbers."""
Floats: TypeAlias = npt.NDArray[np.float64]
Wholes: TypeAlias = npt.NDArray[np.int64]

_TURN_BYTES = 256 * 1024  # so much is copied at a time: what a processor keeps near


def pack(code: str, numbers: Numbers) -> bytes:
    """A block of numbers: as many columns as the array has rows, all of type `code`."""
    count = numbers.shape[1]
    if code == "q":
        numbers = np.diff(numbers, axis=1, prepend=0)
    width = columns.WIDTHS[code]
    raw = np.ascontiguousarray(numbers, dtype=big_endian(code)).view(np.uint8)
    return columns.pack_planes(code, count, planes(raw.reshape(-1, count, width)))


def planes(raw: npt.NDArray[np.uint8]) -> Iterator[memoryview]:
    """The planes of columns, given as the bytes of each number of each column, big-endian."""
    size = raw.shape[1] * raw.shape[2]
    at_once = max(1, _TURN_BYTES // max(1, size))
    for begin in range(0, len(raw), at_once):
        turned = np.ascontiguousarray(raw[begin : begin + at_once].transpose(0, 2, 1))
        flat = turned.reshape(-1).data
        for place in range(0, len(flat), size):
            yield flat[place : place + size]


def unpack(block: bytes) -> Numbers:
    """The numbers of a block. Raises ValueError when it is damaged."""
    directory = columns.Directory.read(block)
    code, rows = directory.code, directory.rows
    width = columns.WIDTHS[code]
    raw = np.empty((directory.columns, width * rows), np.uint8)
    decompressor = zstandard.ZstdDecompressor()
    for column in range(directory.columns):
        try:
            plain = decompressor.decompress(block[directory.span(column)])
        except zstandard.ZstdError as error:
            raise ValueError(f"a column is damaged: {error}") from error
        if len(plain) != width * rows:
            raise ValueError(f"a column has {len(plain)} bytes, not those of {rows} numbers")
        raw[column] = np.frombuffer(plain, np.uint8)
    turned = np.ascontiguousarray(raw.reshape(-1, width, rows).transpose(0, 2, 1))
    numbers = turned.reshape(-1, rows * width).view(big_endian(code))
    return np.cumsum(numbers, axis=1, dtype=np.int64) if code == "q" else numbers.astype(np.dtype(code))


def big_endian(code: str) -> np.dtype[Any]:
    """Numbers of a type code as blocks and PostgreSQL hold them."""
    return np.dtype(code).newbyteorder(">")
