"""Columns show what the same samples show one by one."""

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.query.reading.block import as_buckets, chosen, combine, joined, within
from services.query.rules.plan import SECOND_US, Reading, Span
from services.query.rules.points import Block, Steps

NAN = math.nan
INF = math.inf
BEGIN_US = 1_790_000_000 * SECOND_US
WIDTH = 3


class Row(NamedTuple):
    layout_id: int
    time_us: int
    values: Sequence[float]


# What sums of these are does not depend on their order, so that the model may add them up in another one.
values = st.just(NAN) | st.integers(-1000, 1000).map(float)
offsets = st.lists(st.integers(0, 400 * SECOND_US), unique=True, max_size=60).map(sorted)
spans = st.tuples(st.integers(-10, 400), st.integers(1, 400)).map(
    lambda drawn: Span(start_us=BEGIN_US + drawn[0] * SECOND_US, end_us=BEGIN_US + (drawn[0] + drawn[1]) * SECOND_US)
)


@st.composite
def measured(draw: st.DrawFn) -> list[Row]:
    """Samples of several layouts, in the order of time."""
    layouts = st.sampled_from([0, 1, 7])
    return [
        Row(draw(layouts), BEGIN_US + offset_us, [draw(values) for _ in range(WIDTH)]) for offset_us in draw(offsets)
    ]


def _blocks(rows: Sequence[Row]) -> list[Block]:
    by_layout: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        by_layout[row.layout_id].append(row)
    return [
        Block(
            layout_id=layout_id,
            times_us=np.array([row.time_us for row in found]),
            values=np.array([row.values for row in found]).T,
        )
        for layout_id, found in by_layout.items()
    ]


def _steps(block: Block, step_us: int, *, weight: float = 1.0) -> Steps:
    reading = Reading(span=Span(start_us=0, end_us=1), step_us=step_us)
    weights = np.full(len(block.times_us), weight)
    return combine(as_buckets(block, weights), reading.begins_us(block.times_us))


@given(measured(), spans, st.integers(1, 5))
def test_blocks_that_are_joined_hold_the_samples_of_the_span_in_order(rows: list[Row], span: Span, count: int) -> None:
    blocks = [one for place in range(count) for one in _blocks(rows[place::count])]

    found = joined(chosen(one, within(one.times_us, span)) for one in blocks)

    assert len({one.layout_id for one in found}) == len(found)
    for one in found:
        inside = [row for row in rows if row.layout_id == one.layout_id and span.start_us <= row.time_us < span.end_us]
        assert one.times_us.tolist() == [row.time_us for row in inside]
        np.testing.assert_array_equal(one.values.T, [row.values for row in inside])


@given(measured(), st.sampled_from([1, 7, 60, 3600]), st.sampled_from([1.0, 2.0]))
def test_steps_of_columns_are_those_of_the_samples_in_them(rows: list[Row], step_s: int, weight: float) -> None:
    step_us = step_s * SECOND_US
    expected: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in rows:
        expected[row.layout_id, row.time_us // step_us * step_us].append(row)

    found = [_steps(block, step_us, weight=weight) for block in _blocks(rows)]

    assert sorted((one.layout_id, time_us) for one in found for time_us in one.times_us) == sorted(expected)
    for one in found:
        for place, time_us in enumerate(one.times_us):
            for cell in range(WIDTH):
                inside = [
                    row.values[cell] for row in expected[one.layout_id, time_us] if not math.isnan(row.values[cell])
                ]
                assert one.weights[cell, place] == weight * len(inside)
                if inside:
                    assert one.totals[cell, place] == weight * sum(inside)
                    assert (one.minima[cell, place], one.maxima[cell, place]) == (min(inside), max(inside))


def _alone(column: Sequence[float]) -> Steps:
    """The only step of some samples that follow one another."""
    times_us = np.arange(len(column)) + BEGIN_US
    return _steps(Block(layout_id=1, times_us=times_us, values=np.array([column])), 3600 * SECOND_US)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([1.0, 2.0, 6.0], (3, 9.0, 1.0, 6.0)),
        ([NAN, 2.0, 6.0], (2, 8.0, 2.0, 6.0)),
        ([6.0, NAN, 2.0], (2, 8.0, 2.0, 6.0)),
        ([NAN, NAN, 2.0], (1, 2.0, 2.0, 2.0)),
        ([INF, 1.0, NAN], (2, INF, 1.0, INF)),
    ],
    ids=["all", "not the first", "not the middle one", "only the last", "infinity"],
)
def test_what_was_not_measured_does_not_count(
    column: list[float], expected: tuple[int, float | None, float | None, float | None]
) -> None:
    step = _alone(column)

    assert tuple(one.item() for one in (step.weights, step.totals, step.minima, step.maxima)) == expected


def test_what_was_never_measured_has_no_weight() -> None:
    assert _alone([NAN, NAN]).weights.tolist() == [[0.0]]


def test_infinities_of_both_signs_are_measured_values() -> None:
    step = _alone([INF, -INF, 1.0])

    assert (step.weights.item(), step.minima.item(), step.maxima.item()) == (3, -INF, INF)
    assert math.isnan(step.totals.item())


def test_the_average_of_many_values_is_that_of_adding_them_one_by_one() -> None:
    column = [random.Random(3).uniform(-1e9, 1e9) for _ in range(720)]

    assert _alone(column).totals.item() == pytest.approx(math.fsum(column))
