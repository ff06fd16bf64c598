"""The layouts that held samples use."""

from collections.abc import Iterable

from agent.collectors.collector import SeriesKey
from flick.v1 import catalog_pb2, telemetry_pb2

_KEPT = 32  # beyond that, those that no held sample uses are forgotten


class Layouts:
    """Numbers sets of series; the same set keeps its number as long as it is remembered."""

    def __init__(self) -> None:
        self._ids: dict[tuple[SeriesKey, ...], int] = {}
        self._layouts: dict[int, telemetry_pb2.Layout] = {}
        self._last_id = 0

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

    def __getitem__(self, layout_id: int) -> telemetry_pb2.Layout:
        return self._layouts[layout_id]

    @property
    def crowded(self) -> bool:
        """Whether it is time to `forget_unused`."""
        return len(self._ids) > _KEPT

    def forget_unused(self, used: Iterable[int]) -> None:
        """Forget all but those `used` and the newest."""
        kept = {*used, self._last_id}
        self._ids = {series: number for series, number in self._ids.items() if number in kept}
        self._layouts = {number: layout for number, layout in self._layouts.items() if number in kept}


def _message(layout_id: int, series: tuple[SeriesKey, ...]) -> telemetry_pb2.Layout:
    return telemetry_pb2.Layout(
        layout_id=layout_id,
        series=[
            telemetry_pb2.Series(metric=catalog_pb2.Metric.ValueType(metric), label_values=labels)
            for metric, labels in series
        ],
    )
