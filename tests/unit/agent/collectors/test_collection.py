"""Collectors together make one sample, also when one of them fails."""

import logging
import math
from pathlib import Path

import pytest

from agent.collection import MAX_SERIES, Collection
from agent.collectors.collector import Measured, Moment, SeriesKey
from agent.collectors.cpu.load import LoadCollector
from agent.collectors.failure import Failure
from flick.v1 import catalog_pb2 as catalog


class Shaky:
    """A collector of one scalar and two series that can be made to fail."""

    name = "shaky"
    series: tuple[SeriesKey, ...] = ((520, ("a",)), (520, ("b",)))

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.closed = False

    def collect(self, moment: Moment) -> Measured:
        if self.error is not None:
            raise self.error
        return Measured(core={catalog.METRIC_UPTIME: 7.0}, series=self.series, values=[1.0] * len(self.series))

    def close(self) -> None:
        self.closed = True


class Steady:
    name = "steady"

    def collect(self, moment: Moment) -> Measured:
        return Measured(core={catalog.METRIC_LOAD_1M: 3.0}, series=((500, ("0",)),), values=[0.5])

    def close(self) -> None:
        return


MOMENT = Moment(monotonic_s=1.0, boottime_s=1.0)


def test_values_stand_at_the_places_that_the_catalogue_gives() -> None:
    readings = Collection(collectors=[Shaky(), Steady()]).collect(MOMENT)

    assert readings.core[catalog.METRIC_UPTIME - 1] == 7.0
    assert readings.core[catalog.METRIC_LOAD_1M - 1] == 3.0
    assert math.isnan(readings.core[0])
    assert readings.series == ((520, ("a",)), (520, ("b",)), (500, ("0",)))
    assert readings.values == [1.0, 1.0, 0.5]


def test_a_collector_that_fails_leaves_a_hole_in_its_place_and_is_named_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shaky = Shaky()
    collection = Collection(collectors=[shaky, Steady()])
    before = collection.collect(MOMENT)
    shaky.error = OSError("no such device")
    with caplog.at_level(logging.INFO):
        readings = [collection.collect(MOMENT) for _ in range(3)][-1]
        shaky.error = None
        after = collection.collect(MOMENT)

    assert readings.series is before.series
    assert [math.isnan(value) for value in readings.values] == [True, True, False]
    assert math.isnan(readings.core[catalog.METRIC_UPTIME - 1])
    assert readings.core[catalog.METRIC_LOAD_1M - 1] == 3.0
    assert after.values == before.values
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert caplog.records[0].__dict__["collector"] == "shaky"
    assert "no such device" in caplog.records[0].__dict__["reason"]


def test_a_collector_that_fails_for_another_reason_is_named_again(caplog: pytest.LogCaptureFixture) -> None:
    shaky = Shaky()
    collection = Collection(collectors=[shaky])
    for text in ("one", "one", "two"):
        shaky.error = ValueError(text)
        collection.collect(MOMENT)

    assert [record.__dict__["reason"] for record in caplog.records] == ["ValueError: one", "ValueError: two"]


def test_what_fails_is_told_since_when_until_it_measures_again() -> None:
    shaky = Shaky()
    collection = Collection(collectors=[shaky, Steady()])
    told = []
    for second, error in enumerate((None, OSError("one"), ValueError("two"), None), start=1):
        shaky.error = error
        collection.collect(Moment(monotonic_s=second, boottime_s=100.0 + second))
        told.append(collection.failing)

    assert told == [[], [Failure("shaky", "OSError: one", 102.0)], [Failure("shaky", "ValueError: two", 102.0)], []]


def test_a_reason_is_text_whatever_a_file_is_called() -> None:
    shaky = Shaky()
    shaky.error = OSError(5, "I/O error", "/mnt/\udcff")
    collection = Collection(collectors=[shaky])
    collection.collect(MOMENT)

    assert collection.failing[0].reason == "OSError: [Errno 5] I/O error: '/mnt/\\udcff'"


def test_a_file_that_is_not_there_is_such_a_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    readings = Collection(collectors=[LoadCollector(root=tmp_path)]).collect(MOMENT)

    assert math.isnan(readings.core[catalog.METRIC_LOAD_1M - 1])
    assert "loadavg" in caplog.records[0].__dict__["reason"]


def test_no_more_series_are_measured_than_ingest_takes(caplog: pytest.LogCaptureFixture) -> None:
    many = Shaky()
    many.series = tuple((520, (f"tap{number}",)) for number in range(MAX_SERIES + 5))
    readings = Collection(collectors=[many]).collect(MOMENT)

    assert len(readings.series) == len(readings.values) == MAX_SERIES
    assert "too many series" in caplog.text


def test_no_longer_labels_are_measured_than_ingest_takes() -> None:
    wordy = Shaky()
    wordy.series = tuple((520, (f"{number:04}" + "x" * 996,)) for number in range(100))
    readings = Collection(collectors=[wordy]).collect(MOMENT)

    assert len(readings.series) == len(readings.values) == 65


def test_closing_closes_every_collector() -> None:
    shaky = Shaky()
    with Collection(collectors=[shaky]):
        assert not shaky.closed

    assert shaky.closed
