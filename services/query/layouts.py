"""What the stored layout ids mean. A layout never changes, so what was read once is kept."""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from pathlib import Path

from flick.db.pool import Pool
from flick.db.queries import load_queries
from flick.v1 import telemetry_pb2
from services.query.rules.catalog import Selector
from services.query.rules.series import Layout

QUERIES = Path(__file__).with_name("queries.sql")
MAX_KEPT_SERIES = 100_000  # about 20 MB


class Layouts:
    """Layouts by id.

    Args:
        pool: connections as role flick_query.
        max_kept_series: how many series the layouts that are kept may have together; what was used last is kept.
    """

    def __init__(self, *, pool: Pool, max_kept_series: int = MAX_KEPT_SERIES) -> None:
        self._pool = pool
        self._max_kept_series = max_kept_series
        self._queries = load_queries(QUERIES)
        self._kept: OrderedDict[int, Layout] = OrderedDict()  # the one used last stands last
        self._kept_series = 0
        self._sizes: dict[int, int] = {}  # of those that are kept, in bytes

    def known(self, layout_id: int) -> Layout | None:
        """The layout if it was read before."""
        return self._kept.get(layout_id)

    async def get(self, layout_ids: Collection[int]) -> Mapping[int, Layout]:
        """The layouts of `layout_ids`; those that are not stored are left out."""
        found = {one: self._kept[one] for one in layout_ids if one in self._kept}
        sizes = {one: self._sizes[one] for one in found}
        unknown = [one for one in layout_ids if one not in found]
        if unknown:
            for row in await self._pool.fetch(self._queries["layouts"], unknown):
                found[row["layout_id"]] = parse_layout(row["series"])
                sizes[row["layout_id"]] = len(row["series"])
        for layout_id, layout in found.items():
            self._keep(layout_id, layout, sizes[layout_id])
        return found

    async def size_bytes(self, layout_ids: Collection[int]) -> int:
        """How many bytes the layouts have together as they are stored."""
        size = sum(self._sizes.get(one, 0) for one in layout_ids)
        unknown = [one for one in layout_ids if one not in self._sizes]
        if unknown:
            size += await self._pool.fetchval(self._queries["layouts_size"], unknown)
        return size

    def _keep(self, layout_id: int, layout: Layout, size_bytes: int) -> None:
        if layout_id not in self._kept:
            self._kept_series += len(layout)
        self._kept[layout_id] = layout
        self._sizes[layout_id] = size_bytes
        self._kept.move_to_end(layout_id)
        while self._kept_series > self._max_kept_series:
            oldest, forgotten = self._kept.popitem(last=False)
            del self._sizes[oldest]
            self._kept_series -= len(forgotten)


def parse_layout(packed: bytes) -> Layout:
    """A layout as it is stored: a serialized `Layout`."""
    layout = telemetry_pb2.Layout.FromString(packed)
    custom = [_selector(metric) for metric in layout.custom_metrics]
    return [
        (custom[one.custom_metric - 1] if one.custom_metric else one.metric, tuple(one.label_values))
        for one in layout.series
    ]


def _selector(metric: telemetry_pb2.CustomMetric) -> Selector:
    return Selector(
        number=0,
        name=metric.name,
        unit=metric.unit,
        kind=metric.kind,
        column="",
        fixed_labels={},
        label_keys=tuple(metric.label_keys),
        description=metric.description,
        custom=True,
    )
