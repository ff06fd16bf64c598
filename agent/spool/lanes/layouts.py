"""The layouts that held samples use."""

from collections.abc import Iterable

from agent.collectors.collector import CustomMetric, SeriesKey
from flick.v1 import catalog_pb2, telemetry_pb2

_KEPT = 32  # beyond that, those that no held sample uses are forgotten


class Layouts:
    """Numbers sets of series; the same set keeps its number as long as it is remembered.

    Args:
        known: what was numbered before.
    """

    def __init__(self, known: Iterable[telemetry_pb2.Layout] = ()) -> None:
        self._layouts = {layout.layout_id: layout for layout in known}
        self._ids = {series_of(layout): layout.layout_id for layout in self._layouts.values()}
        self._last_id = max(self._layouts, default=0)
        self._most = _KEPT

    def id_of(self, series: tuple[SeriesKey, ...]) -> int:
        """The set's number, a new one if it is not remembered; 0 for the empty set."""
        if not series:
            return 0
        known = self._ids.get(series)
        if known is not None:
            return known
        self._last_id += 1
        self._ids[series] = self._last_id
        self._layouts[self._last_id] = _message(self._last_id, series)
        return self._last_id

    def knows(self, series: tuple[SeriesKey, ...]) -> bool:
        """Whether `id_of` would give a number that is known."""
        return series in self._ids

    def __getitem__(self, layout_id: int) -> telemetry_pb2.Layout:
        return self._layouts[layout_id]

    def __contains__(self, layout_id: int) -> bool:
        return layout_id in self._layouts

    @property
    def crowded(self) -> bool:
        """Whether it is time to `keep_only` what is used."""
        return len(self._ids) > self._most

    def keep_only(self, used: Iterable[int]) -> set[int]:
        """Forget all but those `used` and the newest; returns what is kept."""
        kept = {*used, self._last_id}
        self._ids = {series: number for series, number in self._ids.items() if number in kept}
        self._layouts = {number: layout for number, layout in self._layouts.items() if number in kept}
        self._most = max(_KEPT, 2 * len(self._ids))  # to find out what is used, everything that is held is read
        return kept


def series_of(layout: telemetry_pb2.Layout) -> tuple[SeriesKey, ...]:
    """The set of series that a layout stands for."""
    custom = [_custom(metric) for metric in layout.custom_metrics]
    return tuple(
        (custom[series.custom_metric - 1] if series.custom_metric else int(series.metric), tuple(series.label_values))
        for series in layout.series
    )


def _custom(metric: telemetry_pb2.CustomMetric) -> CustomMetric:
    return CustomMetric(metric.name, metric.unit, metric.kind, metric.description, tuple(metric.label_keys))


def _message(layout_id: int, series: tuple[SeriesKey, ...]) -> telemetry_pb2.Layout:
    layout = telemetry_pb2.Layout(layout_id=layout_id)
    places: dict[CustomMetric, int] = {}
    for metric, labels in series:
        if isinstance(metric, CustomMetric):
            if metric not in places:
                places[metric] = len(places) + 1
                layout.custom_metrics.add(**metric._asdict())
            layout.series.add(custom_metric=places[metric], label_values=labels)
        else:
            layout.series.add(metric=catalog_pb2.Metric.ValueType(metric), label_values=labels)
    return layout
