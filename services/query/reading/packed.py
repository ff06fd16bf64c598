"""Columns out of the bytes of a sealed block. Pure; flick/columns.py tells how they are packed."""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np

from flick.blobs import unpack_blobs
from flick.columns import WIDTHS, Directory, unpack
from flick.errors import FlickError, Kind
from services.query.rules.plan import Times
from services.query.rules.points import Floats

Runs = Sequence[tuple[int, int]]  # of columns that lie side by side: from, included, to, not included


def runs_of(places: Collection[int], *, skipped: int = 0) -> Runs:
    """The columns at `places` in as few runs as can be, ascending; with up to so many others between two of them."""
    ordered = sorted(set(places))
    if not ordered:
        return []
    breaks = [place for place, (one, after) in enumerate(pairwise(ordered), start=1) if after > one + 1 + skipped]
    return [(ordered[begin], ordered[end - 1] + 1) for begin, end in pairwise([0, *breaks, len(ordered)])]


def read_numbers(packed: bytes) -> Times:
    """The first column of what is packed: whole numbers. Raises DATA_LOSS when it is damaged."""
    numbers: Times = read_all_numbers(packed, only=1)[0]
    return numbers


def read_all_numbers(packed: bytes, *, only: int | None = None) -> Times:
    """The columns of what is packed, or so many of them: whole numbers. Raises DATA_LOSS when they are damaged."""
    with _damage_told:
        directory = Directory.read(packed)
        if directory.code != "q" or not directory.columns:
            raise ValueError(f"whole numbers are packed as such, not {directory.columns} columns {directory.code!r}")
        count = directory.columns if only is None else only
        planes = [directory.planes(packed[directory.span(place)]) for place in range(count)]
    raw = np.frombuffer(b"".join(planes), np.uint8).reshape(count, 8, directory.rows)
    steps: Times = raw.transpose(0, 2, 1).copy().view(">i8")[..., 0].astype(np.int64)
    return steps.cumsum(axis=1)


def width_of(head: bytes) -> int:
    """How many columns there are in the block that begins so. Raises DATA_LOSS when it is damaged."""
    with _damage_told:
        return Directory.read(head).columns


def read_last(packed: bytes) -> list[float]:
    """The last value of each column. Raises DATA_LOSS when one is damaged."""
    with _damage_told:
        return [column[-1] for column in unpack(packed)]


def read_blob(packed: bytes, place: int) -> bytes:
    """The string of bytes at `place`. Raises DATA_LOSS when what is packed is damaged."""
    with _damage_told:
        return unpack_blobs(packed)[place]


def read_blobs(packed: bytes) -> list[bytes]:
    """All strings of bytes. Raises DATA_LOSS when what is packed is damaged."""
    with _damage_told:
        return unpack_blobs(packed)


def read_columns(head: bytes, streams: Sequence[bytes], runs: Runs, places: Sequence[int], *, rows: int) -> Floats:
    """The columns at `places`, a row each of `rows` values, out of the streams of the runs that hold them.

    A block that has fewer columns was written when no more were known, or by another layout: NaN. Raises DATA_LOSS when
    they are damaged.
    """
    with _damage_told:
        directory = Directory.read(head)
        if directory.code not in "df":
            raise ValueError(f"values are packed as floating point, not {directory.code!r}")
        if directory.columns and directory.rows != rows:
            raise ValueError(f"a block of {rows} times has columns of {directory.rows} values")
        present = [place for place in places if place < directory.columns]
        planes = b"".join(directory.planes(_stream(directory, streams, runs, place)) for place in present)
    width = WIDTHS[directory.code]
    raw = np.frombuffer(planes, np.uint8).reshape(len(present), width, rows)
    values = raw.transpose(0, 2, 1).copy().view(f">f{width}").reshape(len(present), rows)
    if len(present) == len(places):
        return values.astype(np.float64)
    found = np.full((len(places), rows), np.nan)
    found[[place < directory.columns for place in places]] = values
    return found


def _stream(directory: Directory, streams: Sequence[bytes], runs: Runs, place: int) -> bytes:
    run = bisect_right(runs, (place, directory.columns + place)) - 1
    begin = directory.span(runs[run][0]).start
    within = directory.span(place)
    return streams[run][within.start - begin : within.stop - begin]


class _Damage:
    """Tells of damage what a caller may hear. It is entered for every block, so it is no generator."""

    def __enter__(self) -> None:
        """Nothing is damaged yet."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, ValueError):
            raise FlickError(Kind.DATA_LOSS, "What is stored of that time is damaged.", private=str(error)) from error


_damage_told = _Damage()
