"""Columns of history become series, over whatever layouts they are spread."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.v1 import catalog_pb2
from services.query.rules.catalog import Catalog
from services.query.rules.plan import SECOND_US
from services.query.rules.points import Block, Points, Steps, collect_samples, collect_steps, columns_of
from services.query.rules.series import cells_of, find_series

CORE = catalog_pb2.METRIC_CPU_CORE_UTILIZATION
(SELECTOR,) = Catalog.from_contract().resolve(["system.cpu.core.utilization"])
STEP_S = 60

cores = st.lists(st.integers(0, 5), unique=True, max_size=6)
values = st.none() | st.floats(-1e6, 1e6)


Layouts = dict[int, list[int]]  # cores by position
Samples = list[tuple[int, list[float | None]]]  # one a second: its layout, and a value of each core


@st.composite
def measured(draw: st.DrawFn) -> tuple[Layouts, Samples]:
    layouts = draw(st.dictionaries(st.integers(1, 9), cores, min_size=1, max_size=4))
    order = draw(st.lists(st.sampled_from(sorted(layouts)), max_size=200))
    return layouts, [(one, [draw(values) for _ in layouts[one]]) for one in order]


def _expected(layouts: Layouts, samples: Samples) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for second, (layout_id, row) in enumerate(samples):
        for core, value in zip(layouts[layout_id], row, strict=True):
            if value is not None:
                found.setdefault(str(core), []).append((second, value))
    return found


def _collected(layouts: Layouts) -> list[Points]:
    declared = {one: [(CORE, [str(core)]) for core in row] for one, row in layouts.items()}
    return [Points(series=one) for one in find_series([SELECTOR], declared)]


def _block(layout_id: int, samples: list[tuple[int, list[float | None]]], width: int) -> Block:
    """Samples of one layout, each with its second; not measured is what lies past the end of a row."""
    rows = [[math.nan if one is None else one for one in row] for _, row in samples]
    return Block(
        layout_id=layout_id,
        times_us=np.array([second * SECOND_US for second, _ in samples], np.int64),
        values=np.array([row + [math.nan] * (width - len(row)) for row in rows], np.float64)
        .reshape(len(rows), width)
        .T,
    )


@given(measured())
def test_samples_reach_the_series_that_their_layout_names(measurements: tuple[Layouts, Samples]) -> None:
    layouts, samples = measurements
    collected = _collected(layouts)
    cells = cells_of((one.series for one in collected), core=False)
    blocks = [
        _block(layout_id, [(second, row) for second, (one, row) in enumerate(samples) if one == layout_id], len(cells))
        for layout_id in layouts
    ]
    collect_samples(blocks, columns_of(collected, cells))

    found = {one.series.label_values[0]: one.time_series() for one in collected if len(one)}
    assert {core: list(zip(one.times, one.values, strict=True)) for core, one in found.items()} == _expected(
        layouts, samples
    )


@given(measured())
def test_steps_of_several_layouts_are_one_step(measurements: tuple[Layouts, Samples]) -> None:
    layouts, samples = measurements
    collected = _collected(layouts)
    width = len(cells_of((one.series for one in collected), core=False))
    found_steps = []
    for step in range(0, len(samples), STEP_S):
        for layout_id in layouts:
            inside = [(0, row) for one, row in samples[step : step + STEP_S] if one == layout_id]
            values = _block(layout_id, inside, width).values
            if values.size:
                measured = ~np.isnan(values)
                found_steps.append(
                    Steps(
                        layout_id=layout_id,
                        times_us=np.array([step * SECOND_US]),
                        weights=measured.sum(axis=1, keepdims=True).astype(np.float64),
                        totals=np.nansum(values, axis=1, keepdims=True),
                        minima=np.fmin.reduce(values, axis=1, keepdims=True),
                        maxima=np.fmax.reduce(values, axis=1, keepdims=True),
                    )
                )
    collect_steps(found_steps, columns_of(collected, cells_of((one.series for one in collected), core=False)))

    found = {one.series.label_values[0]: one.time_series() for one in collected if len(one)}
    expected = _expected(layouts, samples)
    assert set(found) == set(expected)
    for core, series in found.items():
        steps: dict[float, list[float]] = {}
        for second, value in expected[core]:
            steps.setdefault(float(second // STEP_S * STEP_S), []).append(value)
        assert list(series.times) == list(steps)
        assert list(series.values) == pytest.approx([math.fsum(one) / len(one) for one in steps.values()], abs=1e-6)
        assert list(series.minima) == [min(one) for one in steps.values()]
        assert list(series.maxima) == [max(one) for one in steps.values()]
