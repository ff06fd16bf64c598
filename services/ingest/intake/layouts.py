"""Layouts: what a stream declares, checked, cut to the limits, and known to PostgreSQL under an id of its own."""

import hashlib
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from flick.custom_metrics import MAX_DESCRIPTION_BYTES, description_of, labels_fault, name_fault, unit_fault
from flick.v1 import catalog_pb2, ingest_pb2, options_pb2, telemetry_pb2
from services.ingest.intake.lanes import ProtocolError
from services.ingest.intake.overflows import Overflow

MAX_SERIES = 2000  # OpenTelemetry's default limit of a metric's series
MAX_LABEL_BYTES = 64 * 1024
MAX_LAYOUTS = 256  # of one stream; streams last about ten minutes
MAX_DECLARED_BYTES = 2 * 1024 * 1024  # of one stream: 20 times the largest layout
MAX_REMEMBERED = 20_000  # layout ids kept in memory: about 4 MB
DAILY_BYTES = 16 * 1024 * 1024  # of new layouts of one server: some 5,000 of a host with 100 series

FIRST_LABELLED = 500  # the contract: numbers below are scalars

_LABEL_COUNTS = {
    value.number: len(value.GetOptions().Extensions[options_pb2.metric].label_keys)
    for value in catalog_pb2.Metric.DESCRIPTOR.values
    if value.number >= FIRST_LABELLED
}
_Kind = ingest_pb2.OverflowKind

StoreLayout = Callable[[uuid.UUID, uuid.UUID, bytes, bytes], Awaitable[int | None]]
"""Stores server, organization, digest and series, unless they are there; returns the layout's id.

None: the server has no room for another one today.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLayout:
    """A layout as `telemetry.layouts` knows it.

    Attributes:
        layout_id: its id there; 0: it is not stored, so that no value can be.
        series_count: how many values a sample has.
        kept_count: how many of them, from the first, are stored.
        kind, detail: why the others are left out.
        fault: why it can't be used; empty when it can.
    """

    layout_id: int = 0
    series_count: int
    kept_count: int = 0
    kind: _Kind.ValueType = _Kind.OVERFLOW_KIND_UNSPECIFIED
    detail: str = ""
    fault: str = ""

    @property
    def overflow(self) -> Overflow | None:
        """What is left out of every sample."""
        left_out = self.series_count - self.kept_count
        return Overflow(self.kind, left_out, self.detail) if left_out else None


class LayoutIds:
    """The ids of stored layouts, remembered for all streams of this process."""

    def __init__(self, *, store: StoreLayout) -> None:
        self._store = store
        self._known: OrderedDict[tuple[uuid.UUID, bytes], int] = OrderedDict()

    async def get(self, *, server_id: uuid.UUID, organization_id: uuid.UUID, series: bytes) -> int | None:
        """The id of a layout, stored if it is new; None when the server has no room for it today.

        Raises UNAVAILABLE when the database does not answer.
        """
        digest = hashlib.sha256(series).digest()
        key = (server_id, digest)
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        layout_id = await self._store(server_id, organization_id, digest, series)
        if layout_id is None:
            return None
        self._known[key] = layout_id
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return layout_id


@dataclass(slots=True, kw_only=True)
class _Declared:
    """A declaration. `kept`: the series that count, serialized, until they are stored."""

    digest: bytes
    kept: bytes
    layout: StoredLayout
    is_final: bool = False  # stored, or nothing of it ever will be on this stream


class StreamLayouts:
    """What one stream has declared, by the agent's own numbers."""

    def __init__(self, *, ids: LayoutIds, server_id: uuid.UUID, organization_id: uuid.UUID) -> None:
        self._ids = ids
        self._server_id = server_id
        self._organization_id = organization_id
        self._declared: dict[int, _Declared] = {}
        self._declared_bytes = 0

    def declare(self, layouts: Iterable[telemetry_pb2.Layout]) -> None:
        """Take declarations. Raises ProtocolError when a number is taken, or there are too many."""
        for layout in layouts:
            digest = hashlib.sha256(_content(layout.series, layout.custom_metrics)).digest()
            known = self._declared.get(layout.layout_id)
            if not layout.layout_id or (known is not None and known.digest != digest):
                raise ProtocolError(
                    f"layouts: number {layout.layout_id} is taken or 0. Give each layout of a stream its own."
                )
            if known is None:
                self._add(layout, digest)

    async def store(self, numbers: Iterable[int]) -> None:
        """Make sure that these are stored, as far as they are declared and there is room. Raises UNAVAILABLE."""
        for number in numbers:
            declared = self._declared.get(number)
            if declared is None or declared.is_final:
                continue
            layout_id = await self._ids.get(
                server_id=self._server_id, organization_id=self._organization_id, series=declared.kept
            )
            declared.layout = _stored(declared.layout, layout_id)
            declared.is_final, declared.kept = True, b""

    def get(self, number: int) -> StoredLayout | None:
        """A layout that was declared and stored, or that can't be; None: it was not declared."""
        declared = self._declared.get(number)
        return declared.layout if declared is not None and declared.is_final else None

    def _add(self, declared: telemetry_pb2.Layout, digest: bytes) -> None:
        layout = cut(declared)
        kept = _kept(declared, layout.kept_count)
        self._declared_bytes += len(kept)
        if len(self._declared) >= MAX_LAYOUTS or self._declared_bytes > MAX_DECLARED_BYTES:
            raise ProtocolError(
                f"layouts: more than {MAX_LAYOUTS} or {MAX_DECLARED_BYTES} bytes on one stream. "
                "Declare a layout only when it changes, and open another stream."
            )
        nothing_to_store = bool(layout.fault) or (layout.series_count > 0 and not layout.kept_count)
        self._declared[declared.layout_id] = _Declared(
            digest=digest, kept=kept, layout=layout, is_final=nothing_to_store
        )


def cut(layout: telemetry_pb2.Layout) -> StoredLayout:
    """The layout, not stored yet: its first series that are within the limits count."""
    kind, kept, text_bytes, customs = _Kind.OVERFLOW_KIND_UNSPECIFIED, 0, 0, 0
    detail = ""
    for one in layout.series:
        text_bytes += sum(len(value.encode()) for value in one.label_values)
        if customs < one.custom_metric <= len(layout.custom_metrics):  # the first of its series
            customs = one.custom_metric
            text_bytes += _text_bytes(layout.custom_metrics[customs - 1])
        if kept == MAX_SERIES:
            kind, detail = _Kind.OVERFLOW_KIND_SERIES, f"{MAX_SERIES} labelled series at most."
            break
        if text_bytes > MAX_LABEL_BYTES:
            kind, detail = _Kind.OVERFLOW_KIND_TEXT, f"{MAX_LABEL_BYTES} bytes of labels and custom metrics at most."
            break
        kept += 1
    return StoredLayout(
        series_count=len(layout.series),
        kept_count=kept,
        kind=kind,
        detail=detail,
        fault=_find_fault(layout.series[:kept], layout.custom_metrics),
    )


def _content(series: Sequence[telemetry_pb2.Series], custom_metrics: Sequence[telemetry_pb2.CustomMetric]) -> bytes:
    """As a layout is stored and told from another."""
    return telemetry_pb2.Layout(series=series, custom_metrics=custom_metrics).SerializeToString()


def _kept(layout: telemetry_pb2.Layout, count: int) -> bytes:
    """What is stored of a layout whose first `count` series count: these and the custom metrics that they name."""
    series = layout.series[:count]
    return _content(series, layout.custom_metrics[: max((one.custom_metric for one in series), default=0)])


def _text_bytes(metric: telemetry_pb2.CustomMetric) -> int:
    return sum(len(text.encode()) for text in (metric.name, metric.unit, metric.description, *metric.label_keys))


def _stored(layout: StoredLayout, layout_id: int | None) -> StoredLayout:
    if layout_id is None:
        detail = f"{DAILY_BYTES} bytes of new layouts within 24 hours at most. Declare fewer series that come and go."
        return StoredLayout(series_count=layout.series_count, kind=_Kind.OVERFLOW_KIND_LAYOUTS, detail=detail)
    return StoredLayout(
        layout_id=layout_id,
        series_count=layout.series_count,
        kept_count=layout.kept_count,
        kind=layout.kind,
        detail=layout.detail,
    )


def _find_fault(series: Sequence[telemetry_pb2.Series], custom_metrics: Sequence[telemetry_pb2.CustomMetric]) -> str:
    """Why the layout can't be used, with the fix; empty when it can."""
    seen: set[tuple[object, ...]] = set()
    customs = 0
    for index, one in enumerate(series):
        place = one.custom_metric
        if place and (one.metric or place > min(customs + 1, len(custom_metrics))):
            return f"series[{index}].custom_metric is {place}. Declare custom metrics in the order of their series."
        if not place and one.metric < FIRST_LABELLED:
            return f"series[{index}].metric is {one.metric}. Scalar metrics travel in `core`."
        customs = max(customs, place)
        metric = custom_metrics[place - 1] if place else None
        wanted = len(metric.label_keys) if metric else _LABEL_COUNTS.get(one.metric)
        if wanted is not None and len(one.label_values) != wanted:
            return f"series[{index}] has {len(one.label_values)} label values, its metric has {wanted} label keys."
        key: tuple[object, ...] = (one.metric, *one.label_values)
        if metric is not None:
            labels = dict(zip(metric.label_keys, one.label_values, strict=True))
            if fault := custom_fault(metric, labels):
                return f"series[{index}]: {fault}"
            key = (metric.name, *sorted(labels.items()))
        if key in seen:
            return f"series[{index}] comes twice."
        seen.add(key)
    return ""


def custom_fault(metric: telemetry_pb2.CustomMetric, labels: Mapping[str, str]) -> str:
    """Why a custom metric or the labels of one of its series can't be stored, with the fix; empty when they can."""
    if len(set(metric.label_keys)) != len(metric.label_keys):
        return f"{metric.name}: a label key comes twice."
    if metric.kind not in (options_pb2.METRIC_KIND_GAUGE, options_pb2.METRIC_KIND_RATE):
        return f"{metric.name[:60]} has the kind {metric.kind}. A custom metric is a gauge or a rate."
    if metric.description != description_of(metric.description):
        return f"{metric.name}: the description is to be one line of {MAX_DESCRIPTION_BYTES} bytes at most."
    fault = name_fault(metric.name) or unit_fault(metric.unit) or labels_fault(labels)
    return f"{metric.name[:60]} {fault}" if fault else ""
