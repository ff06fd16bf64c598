"""What a push says, before anything is stored: which values count, what counters grew by, how often it may come."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.errors import FlickError, Kind
from flick.v1 import options_pb2, push_pb2
from services.ingest.push.pace import AT_ONCE, Pace
from services.ingest.push.reading import Point, Rejections, Series, by_moment, read_push
from services.ingest.push.samples import SLOTS, Count, Stored, digest_of, free_slot, layout_of, same_gauges, value_of

NOW_MS = 1_700_000_000_000


def _read(request: push_pb2.PushMetricsRequest) -> tuple[list[Point], Rejections]:
    rejections = Rejections()
    return list(read_push(request, now_ms=NOW_MS, retention_days=30, rejections=rejections)), rejections


def _series(name: str = "a", *, counter: bool = False, **labels: str) -> Series:
    return Series(name, tuple(sorted(labels.items())), "", counter, "")


def test_what_tells_no_time_has_that_of_the_request_and_else_of_now() -> None:
    request = push_pb2.PushMetricsRequest(values=[push_pb2.PushedValue(name="a", value=1)])
    request.text.data = f"b 2\nc 3 {NOW_MS - 7}\n".encode()
    (without, *_), _ = _read(request)
    request.time.FromMilliseconds(NOW_MS - 500)
    found, _ = _read(request)

    assert without.time_ms == NOW_MS
    assert {one.series.name: one.time_ms for one in found} == {
        "a": NOW_MS - 500,
        "b": NOW_MS - 500,
        "c": NOW_MS - 7,
    }


def test_kinds_and_units_are_told_or_come_from_the_name() -> None:
    values = [
        push_pb2.PushedValue(name="a_bytes", value=1),
        push_pb2.PushedValue(name="b_total", value=1),
        push_pb2.PushedValue(name="c_total", value=1, type=push_pb2.PUSHED_TYPE_GAUGE),
        push_pb2.PushedValue(name="d_seconds", value=1, type=push_pb2.PUSHED_TYPE_COUNTER),
        push_pb2.PushedValue(name="e", value=1, unit="Cel"),
    ]
    found, _ = _read(push_pb2.PushMetricsRequest(values=values))

    assert [(one.series.unit, one.series.kind) for one in found] == [
        ("By", options_pb2.METRIC_KIND_GAUGE),
        ("1/s", options_pb2.METRIC_KIND_RATE),
        ("", options_pb2.METRIC_KIND_GAUGE),
        ("s/s", options_pb2.METRIC_KIND_RATE),
        ("Cel", options_pb2.METRIC_KIND_GAUGE),
    ]


@pytest.mark.parametrize(
    ("request_", "kind", "words"),
    [
        (push_pb2.PushMetricsRequest(), Kind.INVALID_ARGUMENT, "push at least one value"),
        (
            push_pb2.PushMetricsRequest(values=[push_pb2.PushedValue(name="a", description="x" * 2**20)]),
            Kind.RESOURCE_EXHAUSTED,
            "Split it",
        ),
    ],
    ids=["empty", "large"],
)
def test_a_push_that_is_none_is_refused(request_: push_pb2.PushMetricsRequest, kind: Kind, words: str) -> None:
    with pytest.raises(FlickError, match=words) as refused:
        _read(request_)

    assert refused.value.kind is kind


def test_text_of_too_many_lines_is_refused_before_it_is_read() -> None:
    request = push_pb2.PushMetricsRequest()
    request.text.data = b"\n" * 10_000

    with pytest.raises(FlickError, match="has 10001 lines; push at most 10000"):
        _read(request)


def test_text_that_is_no_utf_8_is_refused_with_its_place() -> None:
    request = push_pb2.PushMetricsRequest()
    request.text.data = b'a{b="\xff"} 1'

    with pytest.raises(FlickError, match="no UTF-8 at byte 5"):
        _read(request)


@given(
    counts=st.lists(st.tuples(st.integers(1, 100), st.integers(0, 1000)), min_size=1, max_size=20),
)
def test_a_counter_is_a_rate_from_its_second_value_on_and_never_negative(counts: list[tuple[int, int]]) -> None:
    known: dict[object, Count] = {}
    time_ms, before = 0, None
    for passed_s, value in counts:
        time_ms += passed_s * 1000
        found = value_of(Point("", _series(counter=True), time_ms, value), known)  # type: ignore[arg-type]
        if before is None or value < before:
            assert found is not None
            assert math.isnan(found)
        else:
            assert found == pytest.approx((value - before) / passed_s, rel=1e-6)
        before = value


def test_a_counter_that_is_older_than_the_last_is_none_and_changes_nothing() -> None:
    series = _series(counter=True)
    known = {series.id: Count(1000, 5.0)}

    assert value_of(Point("", series, 1000, 9.0), known) is None
    assert known == {series.id: Count(1000, 5.0)}


def test_the_same_series_in_any_order_have_the_same_layout() -> None:
    points = [Point("", _series("b"), 1, 1), Point("", _series("a", x="2"), 1, 2), Point("", _series("a", x="1"), 1, 3)]
    layouts = {
        layout_of(point.series for point in by_moment(some)[1]).SerializeToString() for some in (points, points[::-1])
    }

    assert len(layouts) == 1


def test_series_of_one_name_share_its_description_and_others_have_their_own() -> None:
    layout = layout_of([_series("a", x="1"), _series("a", x="2"), _series("a", y="1"), _series("b")])

    assert [one.custom_metric for one in layout.series] == [1, 1, 2, 3]
    assert [list(one.label_keys) for one in layout.custom_metrics] == [["x"], ["y"], []]


@given(
    st.lists(
        st.tuples(st.text(max_size=3), st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), max_size=2)),
        unique_by=repr,
    )
)
def test_different_series_have_different_digests(series: list[tuple[str, list[tuple[str, str]]]]) -> None:
    found = {digest_of((name, tuple(labels))) for name, labels in series}

    assert len(found) == len(series)


def test_the_first_free_microsecond_is_taken_until_none_is_left() -> None:
    assert free_slot(5, set()) == 5000
    assert free_slot(5, {5000, 5001, 5003}) == 5002
    assert free_slot(5, set(range(5000, 5000 + SLOTS))) is None


def test_a_push_is_the_same_by_its_gauges_alone() -> None:
    points = [Point("", _series("a"), 1, 0.1), Point("", _series("b", counter=True), 1, 7)]
    stored = Stored(1000, 1, [value_of(points[0], {}), None])

    assert same_gauges(points, stored)
    assert not same_gauges([points[0]._replace(value=0.2), points[1]], stored)


def test_a_server_may_be_pushed_to_sixty_times_at_once_and_then_once_a_second() -> None:
    pace = Pace()
    waits = [pace.take("a", 100.0) for _ in range(AT_ONCE + 1)]

    assert waits == [0.0] * AT_ONCE + [1.0]
    assert pace.take("b", 100.0) == 0
    assert pace.take("a", 101.0) == 0
    assert pace.take("a", 101.25) == pytest.approx(0.75)
