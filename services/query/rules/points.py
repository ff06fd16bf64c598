"""Rows of history to the time series of an answer. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from flick.v1 import query_pb2
from services.query.rules.plan import SECOND_US
from services.query.rules.series import Cell, Series


class SampleRow(NamedTuple):
    """A sample's values in the order of the cells that were read; None or NaN: not measured."""

    layout_id: int
    time_us: int
    values: Sequence[float | None]


class StepRow(NamedTuple):
    """A step's values in the order of the cells that were read; None: not measured. Time in seconds."""

    layout_id: int
    time: float
    counts: Sequence[int]
    totals: Sequence[float | None]
    minima: Sequence[float | None]
    maxima: Sequence[float | None]


class Points:
    """Collects the points of one series."""

    def __init__(self, *, series: Series) -> None:
        self.series = series
        self._times: list[float] = []
        self._values: list[float] = []
        self._counts: list[int] = []
        self._minima: list[float] = []
        self._maxima: list[float] = []

    def __len__(self) -> int:
        return len(self._times)

    def add_sample(self, time: float, value: float) -> None:
        """Add a point as it was measured."""
        self._times.append(time)
        self._values.append(value)

    def add_step(self, time: float, count: int, total: float, least: float, greatest: float) -> None:
        """Add a step, or, when the series moved to another layout within it, the rest of the step."""
        if self._times and self._times[-1] == time:
            self._counts[-1] += count
            self._values[-1] += total
            self._minima[-1] = min(self._minima[-1], least)
            self._maxima[-1] = max(self._maxima[-1], greatest)
            return
        self._times.append(time)
        self._counts.append(count)
        self._values.append(total)
        self._minima.append(least)
        self._maxima.append(greatest)

    def time_series(self, *, later_us: int = 0) -> query_pb2.TimeSeries:
        """What was collected, its times moved forward by `later_us`."""
        values = self._values
        if self._counts:
            values = [total / count for total, count in zip(self._values, self._counts, strict=True)]
        return query_pb2.TimeSeries(
            name=self.series.selector.name,
            labels=self.series.labels,
            unit=self.series.selector.unit,
            kind=self.series.selector.kind,
            times=[time + later_us / SECOND_US for time in self._times] if later_us else self._times,
            values=values,
            minima=self._minima,
            maxima=self._maxima,
        )


Columns = Mapping[int, Sequence[tuple[int, Points]]]  # by layout: which value of its rows belongs to which series


def columns_of(collected: Sequence[Points], cells: Sequence[Cell]) -> Columns:
    """Which value of a row that was read from `cells` belongs to which series."""
    index = {cell: number for number, cell in enumerate(cells)}
    columns: dict[int, list[tuple[int, Points]]] = {}
    for points in collected:
        for layout_id, cell in points.series.cells.items():
            if cell in index:
                columns.setdefault(layout_id, []).append((index[cell], points))
    return columns


def collect_samples(rows: Iterable[SampleRow], columns: Columns) -> None:
    """Hand the samples' values to the series that they belong to."""
    for row in rows:
        for index, points in columns.get(row.layout_id, ()):
            value = row.values[index]
            if value is not None and not math.isnan(value):
                points.add_sample(row.time_us / SECOND_US, value)


def collect_steps(rows: Iterable[StepRow], columns: Columns) -> None:
    """Hand the steps' values to the series that they belong to. The rows are in the order of time."""
    for row in rows:
        for index, points in columns.get(row.layout_id, ()):
            total, least, greatest = row.totals[index], row.minima[index], row.maxima[index]
            if total is not None and least is not None and greatest is not None:
                points.add_step(row.time, row.counts[index], total, least, greatest)
