"""Layouts with custom metrics: what is told of them comes back from the spool as it was."""

from agent.collection import MAX_LABEL_BYTES, Collection
from agent.collectors.collector import CustomMetric, Measured, Moment, SeriesKey
from agent.spool.lanes.layouts import Layouts, series_of
from flick.v1 import catalog_pb2, options_pb2
from services.ingest.intake.layouts import cut


def _metric(name: str, *keys: str, description: str = "") -> CustomMetric:
    return CustomMetric(name, "By", options_pb2.METRIC_KIND_GAUGE, description, keys)


SERIES: tuple[SeriesKey, ...] = (
    (catalog_pb2.METRIC_CPU_CORE_UTILIZATION, ("0",)),
    (_metric("a", "job"), ("x",)),
    (_metric("b"), ()),
    (_metric("a", "job"), ("y",)),
)


class _Told:
    name = "custom"

    def __init__(self, series: tuple[SeriesKey, ...]) -> None:
        self._series = series

    def collect(self, moment: Moment) -> Measured:
        return Measured(series=self._series, values=[1.0] * len(self._series))

    def close(self) -> None:
        pass


def test_a_set_of_series_keeps_its_number_over_a_restart() -> None:
    layouts = Layouts()
    number = layouts.id_of(SERIES)
    again = Layouts([layouts[number]])

    assert series_of(layouts[number]) == SERIES
    assert again.id_of(SERIES) == number
    assert [one.custom_metric for one in layouts[number].series] == [0, 1, 2, 1]


def test_ingest_takes_what_the_agent_declares() -> None:
    layouts = Layouts()
    declared = cut(layouts[layouts.id_of(SERIES)])

    assert (declared.fault, declared.kept_count) == ("", len(SERIES))


def test_the_agent_leaves_out_as_much_text_as_ingest_would() -> None:
    series: tuple[SeriesKey, ...] = tuple(
        (_metric(f"a{number:03}", description="x" * 400), ()) for number in range(300)
    )
    with Collection(collectors=[_Told(series)]) as collection:
        kept = collection.collect(Moment(monotonic_s=1.0, boottime_s=1.0)).series
    layouts = Layouts()

    assert 0 < len(kept) < len(series)
    assert cut(layouts[layouts.id_of(series)]).kept_count == len(kept) == MAX_LABEL_BYTES // 406
