"""Values of rows of `telemetry.metrics`, packed and read without the services: no mistake of theirs is repeated."""

import math
import struct
from collections.abc import Sequence


def pack_core(values: Sequence[float | None]) -> bytes:
    """The column `core`: up to the last value that was measured."""
    known = [math.nan if value is None else value for value in values]
    while known and math.isnan(known[-1]):
        known.pop()
    return struct.pack(f">{len(known)}d", *known)


def pack_labelled(values: Sequence[float | None]) -> bytes:
    """The column `labelled`."""
    return struct.pack(f">{len(values)}f", *(math.nan if value is None else value for value in values))


def read_core(packed: bytes, *, count: int) -> list[float | None]:
    """The first `count` scalar metrics; None: not measured."""
    known = [_known(value) for (value,) in struct.iter_unpack(">d", packed)]
    return (known + [None] * count)[:count]


def read_labelled(packed: bytes | None) -> list[float | None] | None:
    """The labelled values; None: there is no layout."""
    return None if packed is None else [_known(value) for (value,) in struct.iter_unpack(">f", packed)]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
