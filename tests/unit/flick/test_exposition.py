"""Our reader of Prometheus's text format against the official client's own writer and reader, and line by line."""

import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from flick.exposition import Exposition, parse

_NAMES = st.from_regex(r"\A[a-zA-Z_][a-zA-Z0-9_]{0,20}\Z").filter(
    lambda name: not name.endswith(("_total", "_created", "_sum", "_count", "_bucket", "_info", "_gsum", "_gcount"))
)
_KEYS = st.from_regex(r"\A[a-zA-Z][a-zA-Z0-9_]{0,8}\Z").filter(lambda key: key not in ("le", "quantile"))
_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
_NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def registries(draw: st.DrawFn) -> CollectorRegistry:
    registry = CollectorRegistry()
    names = draw(st.lists(_NAMES, max_size=4, unique_by=str.lower))
    for name in names:
        keys = draw(st.lists(_KEYS, max_size=3, unique=True))
        metric = draw(st.sampled_from([Counter, Gauge, Histogram, Summary]))(
            name, draw(_TEXTS), keys, registry=registry
        )
        for values in draw(st.lists(st.tuples(*[_TEXTS] * len(keys)), max_size=3, unique=True)) if keys else [()]:
            child = metric.labels(*values) if keys else metric
            number = draw(_NUMBERS)
            if isinstance(metric, Gauge):
                child.set(number)
            elif isinstance(metric, Counter):
                child.inc(abs(number) if not math.isnan(number) else 1)
            else:
                child.observe(number)
    return registry


@given(registry=registries())
def test_what_the_client_writes_is_read_as_the_client_reads_it(registry: CollectorRegistry) -> None:
    text = generate_latest(registry).decode()
    expected = {
        (one.name, tuple(sorted((key, value) for key, value in one.labels.items() if value)), repr(one.value)): (
            family.type == "counter" or one.name.endswith(("_sum", "_count"))
        )
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if not (family.type == "histogram" and one.name == f"{family.name}_bucket")
    }
    found = parse(text)

    assert found.faults == []
    assert {(one.name, one.labels, repr(one.value)): one.is_counter for one in found.values} == expected


@given(registry=registries())
def test_openmetrics_gives_the_same_values_as_the_older_format(registry: CollectorRegistry) -> None:
    def series(found: Exposition) -> set[tuple[object, ...]]:
        return {
            (one.name, one.labels, repr(one.value), one.is_counter)
            for one in found.values
            if not one.name.endswith("_created")  # the older format has them as gauges of their own
        }

    older, newer = parse(generate_latest(registry).decode()), parse(generate_openmetrics(registry).decode())  # type: ignore[no-untyped-call]

    assert newer.faults == []
    assert series(newer) == series(older)


@given(text=st.text(alphabet=st.sampled_from(string.printable + '{}"\\=#é\u2028'), max_size=200))
def test_no_text_makes_it_fail(text: str) -> None:
    found = parse(text)

    assert len(found.values) + len(found.faults) <= text.count("\n") + 1


def test_a_value_has_what_its_comments_tell() -> None:
    (value,) = parse(
        '# HELP backup_bytes What was\\nbacked up.\n# TYPE backup_bytes gauge\nbackup_bytes{b="2",a="x\\"\\\\\\n"} 12\n'
    ).values

    assert value == (3, "backup_bytes", (("a", 'x"\\\n'), ("b", "2")), 12.0, None, False, "By", "What was backed up.")


@pytest.mark.parametrize(
    ("text", "name", "is_counter", "unit"),
    [
        ("a_total 1", "a_total", True, ""),
        ("# TYPE a_total gauge\na_total 1", "a_total", False, ""),
        ("# TYPE a counter\na 1", "a", True, ""),
        ("# TYPE a_seconds histogram\na_seconds_sum 1", "a_seconds_sum", True, "s"),
        ("# TYPE a_seconds summary\na_seconds_count 1", "a_seconds_count", True, ""),
        ('# TYPE a_seconds summary\na_seconds{quantile="0.5"} 1', "a_seconds", False, "s"),
        ("# TYPE a_volts gauge\n# UNIT a_volts volts\na_volts 1", "a_volts", False, "V"),
        ("# TYPE a counter\n# UNIT a bytes\na_total 1\n# EOF", "a_total", True, "By"),
    ],
)
def test_kinds_and_units_are_told_by_type_and_name(text: str, name: str, is_counter: bool, unit: str) -> None:
    (value,) = parse(text).values

    assert (value.name, value.is_counter, value.unit) == (name, is_counter, unit)


@pytest.mark.parametrize(
    ("line", "time_ms"), [("a 1 1700000000123", 1_700_000_000_123), ("a 1 1700000000.123\n# EOF", 1_700_000_000_123)]
)
def test_timestamps_are_milliseconds_and_in_openmetrics_seconds(line: str, time_ms: int) -> None:
    (value,) = parse(line).values

    assert value.time_ms == time_ms


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a", "can't be read"),
        ("a.b 1", "can't be read"),
        ("1a 1", "can't be read"),
        ("a+1", "can't be read"),
        ("a one", "'one' is no number"),
        ("a 1_000", "is no number"),
        ("a 0x10", "is no number"),
        ("a 1 1.5", "is no time"),
        ("a 1 -1", "is no time"),
        ("a 1 2 3", "can't be read"),
        ('a{b="c"', "can't be read"),
        ('a{b="c" d="e"} 1', "can't be read"),
        ('a{b="1",b="2"} 1', "label 'b' comes twice"),
        ('a{__name__="b"} 1', "two _"),
        (f'a{{b="{"x" * 513}"}} 1', "513 bytes"),
        ("a" * 201 + " 1", "201 bytes"),
        ("a{" + ",".join(f'b{number}="c"' for number in range(17)) + "} 1", "more than 16 labels"),
        ("# TYPE a thing", "'thing' is no type"),
    ],
)
def test_a_wrong_line_is_named_and_the_others_count(line: str, words: str) -> None:
    found = parse(f"before 1\n{line}\nafter 2\n")

    assert [value.name for value in found.values] == ["before", "after"]
    assert [fault.line for fault in found.faults] == [2]
    assert words in found.faults[0].text


def test_the_same_series_twice_is_a_fault_unless_the_times_differ() -> None:
    found = parse('a{b="1"} 1\na{b="1"} 2\na{b="1"} 3 1700000000000\n')

    assert [(one.value, one.time_ms) for one in found.values] == [(1.0, None), (3.0, 1_700_000_000_000)]
    assert [fault.line for fault in found.faults] == [2]


def test_descriptions_are_cut_at_a_whole_character() -> None:
    (value,) = parse(f"# HELP a {'é' * 300}\na 1").values

    assert value.description == "é" * 200
