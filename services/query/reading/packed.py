"""Columns out of the bytes of a sealed block. Pure; flick/columns.py tells how they are packed."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

from flick.blobs import unpack_blobs
from flick.columns import Directory, unpack
from flick.errors import FlickError, Kind
from services.query.reading.block import Column

Runs = Sequence[tuple[int, int]]  # of columns that lie side by side: from, included, to, not included


def runs_of(places: Collection[int]) -> Runs:
    """The columns at `places` in as few runs as can be, ascending."""
    ordered = sorted(set(places))
    if not ordered:
        return []
    breaks = [place for place, (one, after) in enumerate(pairwise(ordered), start=1) if after != one + 1]
    return [(ordered[begin], ordered[end - 1] + 1) for begin, end in pairwise([0, *breaks, len(ordered)])]


def read_numbers(packed: bytes) -> Sequence[int]:
    """The only column of what is packed: whole numbers. Raises DATA_LOSS when it is damaged."""
    with _damage_told():
        (column,) = unpack(packed)
    return column


def read_last(packed: bytes) -> list[float]:
    """The last value of each column. Raises DATA_LOSS when one is damaged."""
    with _damage_told():
        return [column[-1] for column in unpack(packed)]


def read_blob(packed: bytes, place: int) -> bytes:
    """The string of bytes at `place`. Raises DATA_LOSS when what is packed is damaged."""
    with _damage_told():
        return unpack_blobs(packed)[place]


def read_blobs(packed: bytes) -> list[bytes]:
    """All strings of bytes. Raises DATA_LOSS when what is packed is damaged."""
    with _damage_told():
        return unpack_blobs(packed)


def read_columns(head: bytes, streams: Sequence[bytes], runs: Runs, places: Sequence[int]) -> list[Column]:
    """The columns at `places`, out of the streams of the runs that hold them. Raises DATA_LOSS when they are damaged.

    A block that has fewer columns was written when no more were known, or by another layout.
    """
    with _damage_told():
        directory = Directory.read(head)
        return [_read_column(directory, streams, runs, place) for place in places]


def _read_column(directory: Directory, streams: Sequence[bytes], runs: Runs, place: int) -> Column:
    if place >= directory.columns:
        return None
    run = bisect_right(runs, (place, directory.columns + place)) - 1
    begin = directory.span(runs[run][0]).start
    within = directory.span(place)
    return directory.unpack(streams[run][within.start - begin : within.stop - begin]).tolist()


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise FlickError(Kind.DATA_LOSS, "What is stored of that time is damaged.", private=str(error)) from error
