"""Where samples are missing, seen from their times and from what an agent told."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.v1 import ingest_pb2
from services.query.rules.delivery import HOUR_US
from services.query.rules.gaps import MAX_GAPS, MAX_KEPT, Gap, Holes, find_holes, join_gaps, longest
from services.query.rules.plan import SECOND_US, Span

EVERY_US = 5 * SECOND_US
HOUR = Span(start_us=1000 * HOUR_US, end_us=1001 * HOUR_US)
STOPPED, FULL = ingest_pb2.GAP_REASON_AGENT_STOPPED, ingest_pb2.GAP_REASON_SPOOL_FULL
NOBODY_TOLD = ingest_pb2.GAP_REASON_UNSPECIFIED


def _at(second: int) -> int:
    return HOUR.start_us + second * SECOND_US


def _span(begin: int, end: int) -> Span:
    return Span(start_us=_at(begin), end_us=_at(end))


def _gap(begin: int, end: int, reason: ingest_pb2.GapReason.ValueType) -> Gap:
    return Gap(_at(begin), _at(end), reason)


def _holes(seconds: Sequence[int], span: Span = HOUR) -> list[Span]:
    holes = Holes(span=span, interval_us=EVERY_US)
    holes.add(np.array([_at(second) for second in seconds], np.int64))
    return holes.end()


def test_samples_that_come_in_time_leave_no_hole() -> None:
    assert _holes(range(0, 3600, 5)) == []


def test_three_intervals_without_a_sample_are_no_hole_and_four_are() -> None:
    assert _holes([*range(0, 100, 5), *range(110, 3600, 5)]) == []
    assert _holes([*range(0, 100, 5), *range(115, 3600, 5)]) == [_span(100, 115)]


def test_a_hole_begins_when_the_next_sample_was_due() -> None:
    assert _holes([*range(0, 1000, 5), *range(2000, 3600, 5)]) == [_span(1000, 2000)]


def test_silence_at_both_ends_is_a_hole() -> None:
    assert _holes(range(600, 1200, 5)) == [_span(0, 600), _span(1200, 3600)]


def test_a_span_without_any_sample_is_one_hole() -> None:
    assert _holes([]) == [HOUR]


def test_samples_that_were_taken_more_rarely_then_leave_no_hole() -> None:
    assert _holes(range(0, 3600, 60)) == []


def test_samples_that_were_taken_more_often_then_leave_small_holes() -> None:
    holes = Holes(span=HOUR, interval_us=60 * SECOND_US)
    holes.add(np.array([_at(second) for second in [*range(0, 1000, 5), *range(1030, 3600, 5)]]))

    assert holes.end() == [_span(1000, 1030)]


def test_each_hour_has_its_own_distance() -> None:
    two_hours = _span(0, 7200)

    assert _holes([*range(0, 3600, 60), *range(3600, 7200, 5)], two_hours) == []


@given(missing=st.sets(st.integers(0, 2000)), cuts=st.sets(st.integers(0, 3)))
def test_holes_are_the_same_in_whatever_parts_the_hours_come(missing: set[int], cuts: set[int]) -> None:
    span = _span(0, 4 * 3600)
    times_us = np.array([_at(number * 7) for number in range(2001) if number not in missing])
    whole, parts = (Holes(span=span, interval_us=7 * SECOND_US) for _ in range(2))
    whole.add(times_us)
    edges = [0, *sorted(_at(cut * 3600) for cut in cuts), span.end_us]
    for begin, end in pairwise(edges):
        parts.add(times_us[(begin <= times_us) & (times_us < end)])

    assert parts.end() == whole.end()


def test_so_many_holes_as_may_be_kept_are_kept_the_longest() -> None:
    holes = Holes(span=_span(0, 200 * 3600), interval_us=EVERY_US)
    for hour in range(200):
        times = []
        for number in range(12):
            times.append(_at(hour * 3600 + number * 300))
            times += [times[-1] + EVERY_US * step for step in range(1, 30 if number else 3)]
        holes.add(np.array(times))

    found = holes.end()
    assert len(found) == MAX_KEPT
    assert holes.left_out
    assert sum(one.length_us > 200 * SECOND_US for one in found) == 200


@pytest.mark.parametrize(
    ("minutes", "interval_s", "expected"),
    [
        (range(60), 5, []),
        ([*range(10), *range(11, 60)], 5, [(600, 660)]),
        (range(5, 50), 5, [(0, 300), (3000, 3600)]),
        ([], 5, [(0, 3600)]),
        (range(0, 60, 5), 300, []),
        ([*range(0, 20, 5), *range(40, 60, 5)], 300, [(960, 2400)]),
    ],
    ids=["none", "a minute", "at both ends", "nothing but holes", "a long interval", "a long interval and a hole"],
)
def test_missing_buckets_are_holes(minutes: Sequence[int], interval_s: int, expected: list[tuple[int, int]]) -> None:
    starts_us = np.array([_at(minute * 60) for minute in minutes], np.int64)

    found, left_out = find_holes(starts_us, 60 * SECOND_US, span=HOUR, interval_us=interval_s * SECOND_US)

    assert found == [_span(*one) for one in expected]
    assert not left_out


def test_of_more_missing_buckets_than_are_kept_the_longest_are_kept() -> None:
    missing = {*range(0, 4 * MAX_KEPT, 3), 100, 200}  # 100 and 200 make two of them longer
    starts_us = np.array([_at(minute * 60) for minute in range(4 * MAX_KEPT) if minute not in missing])

    found, left_out = find_holes(starts_us, 60 * SECOND_US, span=_span(0, 4 * MAX_KEPT * 60), interval_us=EVERY_US)

    assert len(found) == MAX_KEPT
    assert left_out
    assert sum(one.length_us > 60 * SECOND_US for one in found) == 2


def test_what_the_agent_told_takes_the_place_of_a_hole() -> None:
    joined = join_gaps([_span(100, 500)], [_gap(105, 500, STOPPED)], span=HOUR, interval_us=EVERY_US)

    assert joined == [_gap(105, 500, STOPPED)]


def test_what_the_agent_did_not_tell_of_a_hole_stays_unexplained() -> None:
    joined = join_gaps([_span(100, 500)], [_gap(200, 300, STOPPED)], span=HOUR, interval_us=EVERY_US)

    assert joined == [_gap(100, 200, NOBODY_TOLD), _gap(200, 300, STOPPED), _gap(300, 500, NOBODY_TOLD)]


def test_told_gaps_that_lie_over_one_another_are_told_apart() -> None:
    joined = join_gaps([], [_gap(200, 400, FULL), _gap(100, 300, STOPPED)], span=HOUR, interval_us=EVERY_US)

    assert joined == [_gap(100, 300, STOPPED), _gap(300, 400, FULL)]


def test_gaps_end_where_the_span_ends() -> None:
    told = [_gap(-50, 50, STOPPED), _gap(3500, 9000, FULL), _gap(7000, 8000, FULL), _gap(60, 60, FULL)]

    assert join_gaps([_span(2000, 4000)], told, span=HOUR, interval_us=EVERY_US) == [
        _gap(0, 50, STOPPED),
        _gap(2000, 3500, NOBODY_TOLD),
        _gap(3500, 3600, FULL),
    ]


spans = st.tuples(st.integers(-500, 4000), st.integers(1, 1000)).map(lambda drawn: (drawn[0], sum(drawn)))


@given(holes=st.lists(spans), told=st.lists(spans))
def test_gaps_never_lie_over_one_another_and_cover_all_that_was_told(
    holes: list[tuple[int, int]], told: list[tuple[int, int]]
) -> None:
    apart = [_span(*one) for number, one in enumerate(sorted(holes)) if not number]
    joined = join_gaps(apart, [_gap(*one, STOPPED) for one in told], span=HOUR, interval_us=EVERY_US)

    assert all(one.end_us <= after.start_us for one, after in pairwise(joined))
    covered = {second for begin, end in told for second in range(max(0, begin), min(3600, end))}
    stopped = [one for one in joined if one.reason == STOPPED]
    assert sum(one.length_us for one in stopped) == len(covered) * SECOND_US


def test_the_longest_gaps_are_told_in_the_order_of_time() -> None:
    gaps = [_gap(number * 10, number * 10 + 1 + number % 2, STOPPED) for number in range(2 * MAX_GAPS)]

    assert longest(gaps) == [one for one in gaps if one.length_us > SECOND_US]
