"""Rollups by the definition: every sample of a bucket looked at by itself, with exact fractions."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

HOUR_US = 3_600_000_000


class Measured(NamedTuple):
    """A sample: when, of which layout, and the values of its metrics; NaN is not measured."""

    moment: int
    layout_id: int
    values: Sequence[float]


@dataclass(frozen=True)
class Bucket:
    """What a metric was in a bucket, and how many microseconds its samples stand for."""

    low: float
    average: Fraction
    high: float
    weight: int


def weights(samples: Sequence[Measured]) -> dict[int, int]:
    """How long each moment stands for, of the samples of a server in whatever hours."""
    found: dict[int, int] = {}
    by_hour: dict[int, set[int]] = {}
    for one in samples:
        by_hour.setdefault(one.moment // HOUR_US, set()).add(one.moment)
    for hour, found_moments in by_hour.items():
        moments = sorted(found_moments)
        distances = sorted(after - before for before, after in pairwise(moments))
        cap = 3 * distances[len(distances) // 2] if distances else 15_000_000
        for moment, following in zip(moments, [*moments[1:], (hour + 1) * HOUR_US], strict=True):
            found[moment] = min(following - moment, cap)
    return found


def buckets(samples: Sequence[Measured], bucket_us: int) -> Mapping[tuple[int, int, int], Bucket | None]:
    """By layout, beginning of the bucket and number of the metric; None: samples, but none of them measured it."""
    stands_for = weights(samples)
    groups: dict[tuple[int, int, int], list[tuple[float, int]]] = {}
    for one in samples:
        for metric, value in enumerate(one.values):
            place = one.layout_id, one.moment // bucket_us * bucket_us, metric
            groups.setdefault(place, []).append((value, stands_for[one.moment]))
    return {place: _bucket(group) for place, group in groups.items()}


def total_weights(samples: Sequence[Measured], bucket_us: int) -> Mapping[tuple[int, int], int]:
    """What all samples of a layout and bucket stand for."""
    found: dict[tuple[int, int], int] = {}
    stands_for = weights(samples)
    for one in samples:
        place = one.layout_id, one.moment // bucket_us * bucket_us
        found[place] = found.get(place, 0) + stands_for[one.moment]
    return found


def largest(samples: Sequence[Measured], bucket_us: int) -> Mapping[tuple[int, int, int], float]:
    """The largest value of each bucket, either way."""
    found: dict[tuple[int, int, int], float] = {}
    for one in samples:
        for metric, value in enumerate(one.values):
            place = one.layout_id, one.moment // bucket_us * bucket_us, metric
            found[place] = max(found.get(place, 0.0), 0.0 if math.isnan(value) else abs(value))
    return found


def _bucket(group: Iterable[tuple[float, int]]) -> Bucket | None:
    known = [(value, weight) for value, weight in group if not math.isnan(value)]
    if not known:
        return None
    weight = sum(one for _, one in known)
    average = sum((Fraction(value) * one for value, one in known), Fraction()) / weight
    return Bucket(min(value for value, _ in known), average, max(value for value, _ in known), weight)
