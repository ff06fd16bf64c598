"""History as the terminal and programs get it."""

import csv
import io

from flick.cli.query import summary, title, to_csv

CPU = {"name": "system.cpu.utilization", "labels": {}, "unit": "1", "times": [0, 60.5], "values": [0.25, 0.75]}
DISK = {
    "name": "system.filesystem.usage",
    "labels": {"b": "2", "a": "1,x"},
    "unit": "By",
    "times": [60.5],
    "values": [100],
    "minima": [50],
    "maxima": [150],
}


def test_a_series_is_named_with_its_labels() -> None:
    assert title(CPU) == "system.cpu.utilization"
    assert title(DISK) == "system.filesystem.usage{a=1,x,b=2}"


def test_a_series_in_short_has_the_least_and_greatest_sample() -> None:
    assert summary(CPU)[1:] == ["1", "0.25", "0.5", "0.75", "0.75"]
    assert summary(DISK)[1:] == ["By", "50", "100", "150", "100"]


def test_what_json_has_no_number_for_is_shown() -> None:
    assert summary({**CPU, "values": [0.5, "Infinity"]})[1:] == ["1", "0.5", "inf", "inf", "inf"]


def test_csv_has_a_line_for_each_moment_and_leaves_empty_what_was_not_measured() -> None:
    assert list(csv.reader(io.StringIO(to_csv({"series": [CPU, DISK]})))) == [
        ["time", "system.cpu.utilization [1]", "system.filesystem.usage{a=1,x,b=2} [By]"],
        ["1970-01-01T00:00:00Z", "0.25", ""],
        ["1970-01-01T00:01:00.500000Z", "0.75", "100"],
    ]


def test_csv_of_nothing_is_a_head() -> None:
    assert to_csv({}) == "time\n"
