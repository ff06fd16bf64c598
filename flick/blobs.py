"""Byte strings of different lengths, alike among each other, as one block of bytes. Pure.

A block is a zstandard frame of their number, their lengths and themselves, so that of each only what is new takes room.
"""

import itertools
import struct
from collections.abc import Sequence

import zstandard

_LEVEL = 1  # 3 makes what is stored larger, not smaller; 9 saves 4 % for ten times the time


def pack_blobs(blobs: Sequence[bytes]) -> bytes:
    """A block of byte strings, each below 4 GiB."""
    head = struct.pack(f">{len(blobs) + 1}I", len(blobs), *map(len, blobs))
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(b"".join((head, *blobs)))


def unpack_blobs(block: bytes) -> list[bytes]:
    """The byte strings of a block, in their order. Raises ValueError when it is damaged."""
    try:
        plain = zstandard.ZstdDecompressor().decompress(block)
        (count,) = struct.unpack_from(">I", plain)
        lengths = struct.unpack_from(f">{count}I", plain, 4)
    except (zstandard.ZstdError, struct.error) as error:
        raise ValueError(f"a block is damaged: {error}") from error
    ends = list(itertools.accumulate(lengths, initial=4 * (count + 1)))
    if ends[-1] != len(plain):
        raise ValueError(f"a block has {len(plain)} bytes, not {ends[-1]}")
    return [plain[begin:end] for begin, end in itertools.pairwise(ends)]
