"""Samples and steps, as columns, to the time series of an answer. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from flick.v1 import query_pb2
from services.query.rules.plan import SECOND_US, Times
from services.query.rules.series import Cell, Series

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Samples of one layout.

    Attributes:
        layout_id: which layout; 0 where core columns are read.
        times_us: when they were measured, ascending.
        values: a row for each cell that was read, in which each sample has its value; NaN: not measured.
    """

    layout_id: int
    times_us: Times
    values: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Samples of one layout combined by steps.

    Attributes:
        layout_id: as above.
        times_us: when each step begins, ascending.
        weights, totals, minima, maxima: a row for each cell that was read, in which each step has its value. The
            average is total over weight; weight 0: nothing was measured, and the others say nothing.
    """

    layout_id: int
    times_us: Times
    weights: Floats
    totals: Floats
    minima: Floats
    maxima: Floats


class Points:
    """Collects the points of one series."""

    def __init__(self, *, series: Series) -> None:
        self.series = series
        self._times_us: list[Times] = []
        self._samples: list[Floats] = []
        self._steps: list[tuple[Floats, Floats, Floats, Floats]] = []

    def __len__(self) -> int:
        return sum(map(len, self._times_us))

    def add_samples(self, times_us: Times, values: Floats) -> None:
        """Add points as they were measured."""
        self._times_us.append(times_us)
        self._samples.append(values)

    def add_steps(self, times_us: Times, weights: Floats, totals: Floats, minima: Floats, maxima: Floats) -> None:
        """Add steps, or parts of steps."""
        self._times_us.append(times_us)
        self._steps.append((weights, totals, minima, maxima))

    def time_series(self, *, later_us: int = 0) -> query_pb2.TimeSeries:
        """What was collected, in the order of time, its times moved forward by `later_us`."""
        answer = query_pb2.TimeSeries(
            name=self.series.selector.name,
            labels=self.series.labels,
            unit=self.series.selector.unit,
            kind=self.series.selector.kind,
        )
        if not self._times_us:
            return answer
        times_us = np.concatenate(self._times_us)
        order = np.argsort(times_us, kind="stable")
        times_us = times_us[order]
        if self._steps:
            weights, totals, minima, maxima = (np.concatenate(one)[order] for one in zip(*self._steps, strict=True))
            begins = np.flatnonzero(np.diff(times_us, prepend=-1))  # of steps; another part of one follows it
            times_us = times_us[begins]
            with np.errstate(invalid="ignore"):  # infinities of both signs have no average
                values = np.add.reduceat(totals, begins) / np.add.reduceat(weights, begins)
            answer.minima.extend(np.minimum.reduceat(minima, begins).tolist())
            answer.maxima.extend(np.maximum.reduceat(maxima, begins).tolist())
        else:
            values = np.concatenate(self._samples)[order]
        answer.times.extend(((times_us + later_us) / SECOND_US).tolist())
        answer.values.extend(values.tolist())
        return answer


Columns = Mapping[int, Sequence[tuple[int, Points]]]  # by layout: which cell's values belong to which series


def columns_of(collected: Sequence[Points], cells: Sequence[Cell]) -> Columns:
    """Which of the values that were read from `cells` belong to which series."""
    index = {cell: number for number, cell in enumerate(cells)}
    columns: dict[int, list[tuple[int, Points]]] = {}
    for points in collected:
        for layout_id, cell in points.series.cells.items():
            if cell in index:
                columns.setdefault(layout_id, []).append((index[cell], points))
    return columns


def collect_samples(blocks: Iterable[Block], columns: Columns) -> None:
    """Hand the samples' values to the series that they belong to."""
    for block in blocks:
        measured = ~np.isnan(block.values)
        for index, points in columns.get(block.layout_id, ()):
            if measured[index].any():
                points.add_samples(block.times_us[measured[index]], block.values[index][measured[index]])


def collect_steps(found: Iterable[Steps], columns: Columns) -> None:
    """Hand the steps' values to the series that they belong to."""
    for one in found:
        measured = one.weights > 0
        for index, points in columns.get(one.layout_id, ()):
            chosen = measured[index]
            if chosen.any():
                values = (part[index][chosen] for part in (one.weights, one.totals, one.minima, one.maxima))
                points.add_steps(one.times_us[chosen], *values)
