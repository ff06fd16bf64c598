"""Columns show what the same samples show one by one."""

import math
import random
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.query.reading.block import Block, merge_steps, sample_rows, step_rows, to_blocks
from services.query.rules.plan import SECOND_US, Span
from services.query.rules.points import SampleRow, StepRow

NAN = math.nan
INF = math.inf
BEGIN_US = 1_790_000_000 * SECOND_US
WIDTH = 3

# What sums of these are does not depend on their order, so that the model may add them up in another one.
values = st.none() | st.integers(-1000, 1000).map(float)
offsets = st.lists(st.integers(0, 400 * SECOND_US), unique=True, max_size=60).map(sorted)
spans = st.tuples(st.integers(-10, 400), st.integers(1, 400)).map(
    lambda drawn: Span(start_us=BEGIN_US + drawn[0] * SECOND_US, end_us=BEGIN_US + (drawn[0] + drawn[1]) * SECOND_US)
)
Rows = list[SampleRow]


@st.composite
def measured(draw: st.DrawFn) -> Rows:
    """Samples of several layouts, in the order of time."""
    layouts = st.sampled_from([0, 1, 7])
    return [
        SampleRow(draw(layouts), BEGIN_US + offset_us, [draw(values) for _ in range(WIDTH)])
        for offset_us in draw(offsets)
    ]


def _plain(row: SampleRow) -> SampleRow:
    return row._replace(values=[None if one is None or math.isnan(one) else one for one in row.values])


def _inside(rows: Rows, span: Span) -> Rows:
    return [row for row in rows if span.start_us <= row.time_us < span.end_us]


@given(measured(), spans)
def test_rows_that_became_columns_come_back_as_the_same_rows(rows: Rows, span: Span) -> None:
    blocks = to_blocks(rows, width=WIDTH)

    found = [_plain(row) for block in blocks for row in sample_rows(block, span)]

    assert sorted(found, key=lambda row: row.time_us) == _inside(rows, span)


@given(measured(), spans, st.sampled_from([1, 7, 60, 3600]))
def test_steps_of_columns_are_those_of_the_samples_in_them(rows: Rows, span: Span, step_s: int) -> None:
    step_us = step_s * SECOND_US
    expected: dict[tuple[int, float], Rows] = defaultdict(list)
    for row in _inside(rows, span):
        expected[row.layout_id, row.time_us // step_us * step_us / SECOND_US].append(row)

    found = [row for block in to_blocks(rows, width=WIDTH) for row in step_rows(block, span, step_us=step_us)]

    assert {(row.layout_id, row.time) for row in found} == set(expected)
    assert len(found) == len(expected)
    for step in found:
        columns = [
            [value for value in column if value is not None]
            for column in zip(*(one.values for one in expected[step.layout_id, step.time]), strict=True)
        ]
        assert step.counts == [len(column) for column in columns]
        assert step.totals == [sum(column) if column else None for column in columns]
        assert step.minima == [min(column, default=None) for column in columns]
        assert step.maxima == [max(column, default=None) for column in columns]


@given(measured(), st.sampled_from([1, 60, 3600]), st.integers(1, 5))
def test_steps_of_several_blocks_merge_to_those_of_one(rows: Rows, step_s: int, blocks: int) -> None:
    span, step_us = Span(start_us=BEGIN_US, end_us=BEGIN_US + 401 * SECOND_US), step_s * SECOND_US
    parts = [to_blocks(rows[place::blocks], width=WIDTH) for place in range(blocks)]

    found = merge_steps(row for part in parts for block in part for row in step_rows(block, span, step_us=step_us))

    whole = [row for block in to_blocks(rows, width=WIDTH) for row in step_rows(block, span, step_us=step_us)]
    assert sorted(found, key=_place) == sorted(whole, key=_place)


def _place(row: StepRow) -> tuple[int, float]:
    return row.layout_id, row.time


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([1.0, 2.0, 6.0], (3, 9.0, 1.0, 6.0)),
        ([NAN, 2.0, 6.0], (2, 8.0, 2.0, 6.0)),
        ([6.0, NAN, 2.0], (2, 8.0, 2.0, 6.0)),
        ([NAN, NAN, 2.0], (1, 2.0, 2.0, 2.0)),
        ([NAN, NAN, NAN], (0, None, None, None)),
        ([INF, 1.0, NAN], (2, INF, 1.0, INF)),
        (None, (0, None, None, None)),
    ],
    ids=["all", "not the first", "not the middle one", "only the last", "none", "infinity", "no column"],
)
def test_what_was_not_measured_does_not_count(
    column: list[float] | None, expected: tuple[int, float | None, float | None, float | None]
) -> None:
    block = Block(layout_id=1, times_us=range(BEGIN_US, BEGIN_US + 3), columns=[column])

    (row,) = step_rows(block, Span(start_us=BEGIN_US, end_us=BEGIN_US + 3), step_us=SECOND_US)

    assert (row.counts[0], row.totals[0], row.minima[0], row.maxima[0]) == expected


def test_infinities_of_both_signs_are_measured_values() -> None:
    block = Block(layout_id=1, times_us=range(BEGIN_US, BEGIN_US + 3), columns=[[INF, -INF, 1.0]])

    (row,) = step_rows(block, Span(start_us=BEGIN_US, end_us=BEGIN_US + 3), step_us=SECOND_US)

    assert (row.counts, row.minima, row.maxima) == ([3], [-INF], [INF])
    assert row.totals[0] is not None
    assert math.isnan(row.totals[0])


def test_the_average_of_many_values_is_that_of_adding_them_one_by_one() -> None:
    column = [random.Random(3).uniform(-1e9, 1e9) for _ in range(720)]
    block = Block(layout_id=1, times_us=range(BEGIN_US, BEGIN_US + 720), columns=[column])

    (row,) = step_rows(block, Span(start_us=BEGIN_US, end_us=BEGIN_US + 720), step_us=3600 * SECOND_US)

    assert list(row.totals) == pytest.approx([math.fsum(column)])
