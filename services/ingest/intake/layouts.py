"""Layouts: what a stream declares, checked, and known to PostgreSQL under an id of its own."""

import hashlib
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable

from flick.v1 import catalog_pb2, options_pb2, telemetry_pb2
from services.ingest.intake.lanes import ProtocolError
from services.ingest.intake.samples import StoredLayout

MAX_SERIES = 2000  # OpenTelemetry's default limit of a metric's series
MAX_LABEL_BYTES = 64 * 1024
MAX_LAYOUTS = 256  # of one stream; streams last about ten minutes
MAX_DECLARED_BYTES = 2 * 1024 * 1024  # of one stream: 20 times the largest layout
MAX_REMEMBERED = 20_000  # layout ids kept in memory: about 4 MB

_LABEL_COUNTS = {
    value.number: len(value.GetOptions().Extensions[options_pb2.metric].label_keys)
    for value in catalog_pb2.Metric.DESCRIPTOR.values
    if value.number >= 500
}

StoreLayout = Callable[[uuid.UUID, uuid.UUID, bytes, bytes], Awaitable[int]]
"""Stores server, organization, digest and series, unless they are there; returns the layout's id."""


class LayoutIds:
    """The ids of stored layouts, remembered for all streams of this process."""

    def __init__(self, *, store: StoreLayout) -> None:
        self._store = store
        self._known: OrderedDict[tuple[uuid.UUID, bytes], int] = OrderedDict()

    async def get(self, *, server_id: uuid.UUID, organization_id: uuid.UUID, series: bytes) -> int:
        """The id of a layout, stored if it is new. Raises UNAVAILABLE when the database does not answer."""
        digest = hashlib.sha256(series).digest()
        key = (server_id, digest)
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        layout_id = await self._store(server_id, organization_id, digest, series)
        self._known[key] = layout_id
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return layout_id


class StreamLayouts:
    """What one stream has declared, by the agent's own numbers."""

    def __init__(self, *, ids: LayoutIds, server_id: uuid.UUID, organization_id: uuid.UUID) -> None:
        self._ids = ids
        self._server_id = server_id
        self._organization_id = organization_id
        self._declared: dict[int, bytes] = {}
        self._declared_bytes = 0
        self._stored: dict[int, StoredLayout] = {}

    def declare(self, layouts: Iterable[telemetry_pb2.Layout]) -> None:
        """Take declarations. Raises ProtocolError when a number is taken, or there are too many."""
        for layout in layouts:
            number, series = layout.layout_id, telemetry_pb2.Layout(series=layout.series).SerializeToString()
            if not number or self._declared.get(number, series) != series:
                raise ProtocolError(f"layouts: number {number} is taken or 0. Give each layout of a stream its own.")
            if number not in self._declared:
                self._add(number, series, fault=_find_fault(layout))

    async def store(self, numbers: Iterable[int]) -> None:
        """Make sure that these are stored, as far as they are declared. Raises UNAVAILABLE."""
        for number in numbers:
            series = self._declared.get(number)
            if series is None or number in self._stored:
                continue
            layout_id = await self._ids.get(
                server_id=self._server_id, organization_id=self._organization_id, series=series
            )
            count = len(telemetry_pb2.Layout.FromString(series).series)
            self._stored[number] = StoredLayout(layout_id=layout_id, series_count=count)

    def get(self, number: int) -> StoredLayout | None:
        """A layout that was declared and stored, or that can't be used."""
        return self._stored.get(number)

    def _add(self, number: int, series: bytes, *, fault: str) -> None:
        self._declared_bytes += len(series)
        if len(self._declared) >= MAX_LAYOUTS or self._declared_bytes > MAX_DECLARED_BYTES:
            raise ProtocolError(
                f"layouts: more than {MAX_LAYOUTS} or {MAX_DECLARED_BYTES} bytes on one stream. "
                "Declare a layout only when it changes, and open another stream."
            )
        self._declared[number] = series
        if fault:
            self._stored[number] = StoredLayout(layout_id=0, series_count=0, fault=fault)


def _find_fault(layout: telemetry_pb2.Layout) -> str:
    """Why the layout can't be used, with the fix; empty when it can."""
    if len(layout.series) > MAX_SERIES:
        return f"it has {len(layout.series)} series, {MAX_SERIES} at most."
    if sum(len(value.encode()) for series in layout.series for value in series.label_values) > MAX_LABEL_BYTES:
        return f"its label values have more than {MAX_LABEL_BYTES} bytes together."
    seen = set()
    for index, series in enumerate(layout.series):
        wanted = _LABEL_COUNTS.get(series.metric)
        if series.metric < 500:
            return f"series[{index}].metric is {series.metric}. Scalar metrics travel in `core`."
        if wanted is not None and len(series.label_values) != wanted:
            return f"series[{index}] has {len(series.label_values)} label values, its metric has {wanted} label keys."
        key = (series.metric, *series.label_values)
        if key in seen:
            return f"series[{index}] comes twice."
        seen.add(key)
    return ""
