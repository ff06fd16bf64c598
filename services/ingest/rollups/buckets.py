"""Buckets of time: minimum, average and maximum of each metric, made of samples or of finer buckets. Pure.

Averages are weighted by time: by how long those samples stand for in which the metric was measured. So it makes no
difference whether a day is made of samples, of minutes or of hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from services.ingest.arrays import Floats, Numbers, Wholes

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

_GATHERED_AT_ONCE = 65_536  # values: some 3 MiB with everything that is worked out meanwhile


@dataclass(frozen=True, kw_only=True)
class Buckets:
    """Buckets of one layout, in the order of time, only those with samples. Metrics are rows, buckets are columns.

    Attributes:
        times: their beginnings, in microseconds since the Unix epoch. Of samples: their moments.
        weights: how many microseconds the samples of each stand for.
        metric_weights: how many of them the samples stand for in which each metric was measured, `weights` where it was
            not measured at all; None: every metric was measured in all samples of a bucket or in none.
        low, average, high: of each metric in each bucket; NaN: not measured. Floats of any form.
    """

    times: Wholes
    weights: Wholes
    metric_weights: Wholes | None
    low: Numbers
    average: Numbers
    high: Numbers

    @classmethod
    def of_samples(cls, times: Wholes, weights: Wholes, values: Numbers) -> Self:
        """Samples, each as a bucket of its own."""
        return cls(times=times, weights=weights, metric_weights=None, low=values, average=values, high=values)

    def __len__(self) -> int:
        return len(self.times)

    @property
    def metrics(self) -> int:
        """How many metrics there are."""
        return len(self.average)

    def gather(self, bucket_us: int) -> "Buckets":
        """The same in coarser buckets, which begin at multiples of their length since the Unix epoch."""
        starts = self.times // bucket_us * bucket_us
        firsts = np.flatnonzero(np.diff(starts, prepend=starts[0] - 1))
        weights: Wholes = np.add.reduceat(self.weights, firsts)
        at_once = max(1, _GATHERED_AT_ONCE // len(self))
        pieces = [
            _gather(self._some(slice(begin, begin + at_once)), starts[firsts], weights, firsts)
            for begin in range(0, max(1, self.metrics), at_once)
        ]
        return pieces[0] if len(pieces) == 1 else _stack(pieces)

    def _some(self, metrics: slice) -> "Buckets":
        """Some of the metrics."""
        average = self.average[metrics]
        return replace(
            self,
            metric_weights=None if self.metric_weights is None else self.metric_weights[metrics],
            low=average if self.low is self.average else self.low[metrics],
            average=average,
            high=average if self.high is self.average else self.high[metrics],
        )

    def with_metrics(self, count: int) -> "Buckets":
        """The same with metrics behind the others that were not measured, so that there are at least `count`."""
        if self.metrics >= count:
            return self
        gap = np.full((count - self.metrics, len(self)), np.nan)
        more = None
        if self.metric_weights is not None:
            more = np.vstack((self.metric_weights, np.broadcast_to(self.weights, gap.shape)))
        low, average, high = (np.vstack((one, gap)) for one in (self.low, self.average, self.high))
        return replace(self, metric_weights=more, low=low, average=average, high=high)

    def only(self, kept: Wholes) -> "Buckets":
        """Some of the buckets, by their numbers."""
        return Buckets(
            times=self.times[kept],
            weights=self.weights[kept],
            metric_weights=None if self.metric_weights is None else self.metric_weights[:, kept],
            low=self.low[:, kept],
            average=self.average[:, kept],
            high=self.high[:, kept],
        )


def join(parts: Sequence[Buckets]) -> Buckets:
    """Buckets of different times as one, in the order of time; of two of the same time the one of the later part."""
    count = max(one.metrics for one in parts)
    wide = [one.with_metrics(count) for one in parts]
    times = np.concatenate([one.times for one in wide])
    last_first = np.unique(times[::-1], return_index=True)[1]
    metric_weights = None
    if any(one.metric_weights is not None for one in wide):
        metric_weights = np.hstack([
            np.broadcast_to(one.weights, one.average.shape) if one.metric_weights is None else one.metric_weights
            for one in wide
        ])  # fmt: skip
    together = Buckets(
        times=times,
        weights=np.concatenate([one.weights for one in wide]),
        metric_weights=metric_weights,
        low=np.hstack([one.low for one in wide]),
        average=np.hstack([one.average for one in wide]),
        high=np.hstack([one.high for one in wide]),
    )
    return together.only(len(times) - 1 - last_first)


def _gather(fine: Buckets, times: Wholes, weights: Wholes, firsts: Wholes) -> Buckets:
    """Groups that begin at `firsts`, whose times and weights are known."""
    values = fine.average.astype(np.float64)
    average = _averages(values, fine.weights, weights, firsts)
    uneven = _uneven(fine)
    metric_weights = None
    if len(uneven):
        counted = fine.weights if fine.metric_weights is None else fine.metric_weights[uneven]
        counted = np.where(np.isnan(values[uneven]), 0, counted)
        counts = np.add.reduceat(counted, firsts, axis=1)
        average[uneven] = _averages(np.nan_to_num(values[uneven]), counted, np.maximum(counts, 1), firsts)
        metric_weights = np.broadcast_to(weights, average.shape).copy()
        metric_weights[uneven] = np.where(counts > 0, counts, weights)
        if (metric_weights == weights).all():
            metric_weights = None
    low, high = (
        values if one is fine.average else one.astype(np.float64) for one in (fine.low, fine.high)
    )  # of samples all three are the same
    low = np.fmin.reduceat(low, firsts, axis=1)
    high = np.fmax.reduceat(high, firsts, axis=1)
    return Buckets(
        times=times,
        weights=weights,
        metric_weights=metric_weights,
        low=low,
        average=np.clip(average, low, high),  # NaN where they are; rounding leads a little out of what it averages
        high=high,
    )


def _uneven(buckets: Buckets) -> Wholes:
    """Which metrics were measured in some of the samples and in others not."""
    if buckets.metric_weights is not None:
        return np.arange(buckets.metrics)
    missing = np.isnan(buckets.average)
    return np.flatnonzero(missing.any(axis=1) & ~missing.all(axis=1))


def _stack(pieces: Sequence[Buckets]) -> Buckets:
    """Metrics of the same buckets, one piece below the other."""
    metric_weights = None
    if any(one.metric_weights is not None for one in pieces):
        metric_weights = np.vstack([
            np.broadcast_to(one.weights, one.average.shape) if one.metric_weights is None else one.metric_weights
            for one in pieces
        ])  # fmt: skip
    return replace(
        pieces[0],
        metric_weights=metric_weights,
        low=np.vstack([one.low for one in pieces]),
        average=np.vstack([one.average for one in pieces]),
        high=np.vstack([one.high for one in pieces]),
    )


def _averages(values: Floats, weights: Wholes, sums: Wholes, firsts: Wholes) -> Floats:
    """Averages of groups that begin at `firsts`, whose weights add up to `sums`."""
    sizes = np.diff(firsts, append=values.shape[1])
    shares = weights / np.repeat(
        sums, sizes, axis=-1
    )  # first of all: values times weights may be too large for a number
    averages: Floats = np.add.reduceat(values * shares, firsts, axis=1)
    return averages
