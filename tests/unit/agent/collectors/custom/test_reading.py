"""What is told becomes series: gauges as they are, counters by second, whatever happens to them in between."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.collectors.collector import CustomMetric
from agent.collectors.custom.reading import MAX_SERIES, Meter, read_told
from flick.v1 import options_pb2


def _values(meter: Meter) -> dict[str, float]:
    return {metric.name: value for (metric, _), value in meter.values.items()}


def test_a_gauge_is_told_as_it_is_with_all_that_describes_it() -> None:
    meter = Meter()
    meter.update(read_told(b'# HELP a_bytes What.\na_bytes{b="x"} 12\n', at_s=1.0))
    metric = CustomMetric("a_bytes", "By", options_pb2.METRIC_KIND_GAUGE, "What.", ("b",))

    assert meter.values == {(metric, ("x",)): 12.0}


def test_a_counter_is_told_by_second() -> None:
    meter = Meter()
    seen = []
    for at_s, count in ((0.0, 10), (10.0, 30), (20.0, 30)):
        meter.update(read_told(f"a_seconds_total {count}".encode(), at_s=at_s))
        seen.append(_values(meter)["a_seconds_total"])
    ((metric, _),) = meter.values

    assert math.isnan(seen[0])
    assert seen[1:] == [2.0, 0.0]
    assert (metric.unit, metric.kind) == ("s/s", options_pb2.METRIC_KIND_RATE)


def test_a_histogram_is_told_by_its_sum_and_count() -> None:
    meter = Meter()
    for at_s, count in ((0.0, 0), (10.0, 20)):
        text = f'# TYPE h histogram\nh_bucket{{le="+Inf"}} {count}\nh_sum {count / 2}\nh_count {count}\n'
        meter.update(read_told(text.encode(), at_s=at_s))

    assert _values(meter) == {"h_sum": 1.0, "h_count": 2.0}


@given(counts=st.lists(st.integers(0, 2**53), min_size=2, max_size=20))
def test_a_counter_survives_every_reset_with_one_hole_and_never_a_negative_rate(counts: list[int]) -> None:
    meter = Meter()
    rates = []
    for at_s, count in enumerate(counts):
        meter.update(read_told(f"a_total {count}".encode(), at_s=float(at_s)))
        rates.append(_values(meter)["a_total"])

    assert math.isnan(rates[0])
    for (before, after), rate in zip(itertools.pairwise(counts), rates[1:], strict=True):
        if after < before:
            assert math.isnan(rate)
        else:
            assert rate == pytest.approx(after - before, rel=1e-6)


def test_a_counter_that_was_not_told_for_a_while_goes_on_at_once() -> None:
    meter = Meter()
    for at_s, text in ((0.0, "a_total 1\nb 1"), (10.0, "b 1"), (20.0, "a_total 21\nb 1"), (30.0, "a_total 41\nb 1")):
        meter.update(read_told(text.encode(), at_s=at_s))

    assert _values(meter)["a_total"] == 2.0


def test_the_same_told_again_changes_nothing() -> None:
    meter = Meter()
    told = read_told(b"a_total 1", at_s=1.0)

    assert meter.update(told)
    assert not meter.update(told)


@pytest.mark.parametrize("number", ["NaN", "+Inf", "-Inf", "1e300", "-4e38"])
def test_what_can_not_be_stored_is_a_hole(number: str) -> None:
    meter = Meter()
    meter.update(read_told(f"a {number}".encode(), at_s=1.0))

    assert math.isnan(_values(meter)["a"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"a 1\nb", "line 2: 'b' can't be read"),
        (b"a 1 1700000000000", "line 1: tells a time"),
        (b'a{b="\xff"} 1', "utf-8"),
        (b"".join(b"a%d 1\n" % number for number in range(MAX_SERIES + 1)), f"{MAX_SERIES} at most"),
    ],
)
def test_a_text_that_is_wrong_counts_for_nothing_and_is_told_with_its_line(text: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_told(text, at_s=1.0)
