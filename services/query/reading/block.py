"""Samples and buckets of one layout, as columns, combined by steps. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from services.query.rules.plan import Span, Times
from services.query.rules.points import Block, Floats, Steps

Which: TypeAlias = slice | npt.NDArray[np.bool_]


class Lags(NamedTuple):
    """When samples were measured, ascending, and how long after that each came, in microseconds."""

    times_us: Times
    lags_us: Times


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Samples of one layout, rolled up.

    Attributes:
        layout_id: which layout; 0 where core columns are read.
        times_us: when each bucket begins, ascending.
        weights, averages, minima, maxima: a row for each cell that was read, in which each bucket has its value; NaN:
            not measured. `weights` has one row where it is the same for every cell.
    """

    layout_id: int
    times_us: Times
    weights: Floats
    averages: Floats
    minima: Floats
    maxima: Floats


def as_set(parts: Sequence[Times]) -> Times:
    """The times of all parts in order, none of them twice."""
    times_us: Times = np.concatenate([np.array([], np.int64), *parts])
    if not (np.diff(times_us) > 0).all():  # mostly they are so already
        times_us = np.unique(times_us)
    return times_us


def within(times_us: Times, span: Span) -> slice:
    """Where those of ascending times are that lie in the span."""
    begin, end = np.searchsorted(times_us, (span.start_us, span.end_us))
    return slice(int(begin), int(end))


def chosen(block: Block, which: Which) -> Block:
    """Some of a block's samples, in the same order."""
    return Block(layout_id=block.layout_id, times_us=block.times_us[which], values=block.values[:, which])


def chosen_buckets(buckets: Buckets, which: Which) -> Buckets:
    """Some of the buckets, in the same order."""
    return Buckets(
        layout_id=buckets.layout_id,
        times_us=buckets.times_us[which],
        weights=buckets.weights[:, which],
        averages=buckets.averages[:, which],
        minima=buckets.minima[:, which],
        maxima=buckets.maxima[:, which],
    )


def joined(blocks: Iterable[Block]) -> list[Block]:
    """The samples of several blocks, no time of which is in two, as one block for each layout."""
    by_layout: dict[int, list[Block]] = {}
    for one in blocks:
        if len(one.times_us):
            by_layout.setdefault(one.layout_id, []).append(one)
    return [_joined(layout_id, found) for layout_id, found in by_layout.items()]


def joined_buckets(parts: Iterable[Buckets]) -> list[Buckets]:
    """The buckets of several blocks, in the order of time, as few as can be: those of one layout with alike weights."""
    alike: dict[tuple[int, int], list[Buckets]] = {}
    for one in parts:
        if len(one.times_us):
            alike.setdefault((one.layout_id, len(one.weights)), []).append(one)
    return [
        found[0] if len(found) == 1 else _joined_buckets(layout_id, found) for (layout_id, _), found in alike.items()
    ]


def as_buckets(block: Block, weights: Floats) -> Buckets:
    """Samples as buckets of one sample each."""
    values = block.values
    return Buckets(
        layout_id=block.layout_id,
        times_us=block.times_us,
        weights=weights[np.newaxis],
        averages=values,
        minima=values,
        maxima=values,
    )


def combine(buckets: Buckets, begins_us: Times) -> Steps:
    """Buckets by steps; `begins_us`, ascending, tells of each bucket when the step begins that it lies in."""
    first = np.flatnonzero(np.diff(begins_us, prepend=-1))  # bucket of each step
    measured = ~np.isnan(buckets.averages)
    weights = np.where(measured, buckets.weights, 0.0)
    with np.errstate(invalid="ignore"):  # infinities of both signs cancel out
        totals = np.add.reduceat(np.where(measured, buckets.averages * weights, 0.0), first, axis=1)
    return Steps(
        layout_id=buckets.layout_id,
        times_us=begins_us[first],
        weights=np.add.reduceat(weights, first, axis=1),
        totals=totals,
        minima=np.fmin.reduceat(buckets.minima, first, axis=1),
        maxima=np.fmax.reduceat(buckets.maxima, first, axis=1),
    )


def _joined_buckets(layout_id: int, found: Sequence[Buckets]) -> Buckets:
    return Buckets(
        layout_id=layout_id,
        times_us=np.concatenate([one.times_us for one in found]),
        weights=np.concatenate([one.weights for one in found], axis=1),
        averages=np.concatenate([one.averages for one in found], axis=1),
        minima=np.concatenate([one.minima for one in found], axis=1),
        maxima=np.concatenate([one.maxima for one in found], axis=1),
    )


def _joined(layout_id: int, found: Sequence[Block]) -> Block:
    if len(found) == 1:
        return found[0]
    times_us = np.concatenate([one.times_us for one in found])
    values = np.concatenate([one.values for one in found], axis=1)
    if (np.diff(times_us) > 0).all():  # as it mostly is
        return Block(layout_id=layout_id, times_us=times_us, values=values)
    order = np.argsort(times_us)
    return Block(layout_id=layout_id, times_us=times_us[order], values=values[:, order])
