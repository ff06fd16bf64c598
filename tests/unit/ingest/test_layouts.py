"""Layouts: what a stream may declare, and that the same layout is stored once."""

import uuid

import pytest

from flick.v1 import catalog_pb2, telemetry_pb2
from services.ingest.intake.lanes import ProtocolError
from services.ingest.intake.layouts import MAX_DECLARED_BYTES, MAX_LAYOUTS, MAX_SERIES, LayoutIds, StreamLayouts

SERVER, ORGANIZATION = uuid.UUID(int=1), uuid.UUID(int=2)
CORE = catalog_pb2.METRIC_CPU_CORE_UTILIZATION
FILESYSTEM = catalog_pb2.METRIC_FILESYSTEM_USED


class _Table:
    """The table of layouts, in memory."""

    def __init__(self) -> None:
        self.asked = 0
        self._ids: dict[tuple[uuid.UUID, bytes], int] = {}

    async def store(self, server_id: uuid.UUID, _organization_id: uuid.UUID, digest: bytes, _series: bytes) -> int:
        self.asked += 1
        return self._ids.setdefault((server_id, digest), len(self._ids) + 1)


def _stream(ids: LayoutIds, server_id: uuid.UUID = SERVER) -> StreamLayouts:
    return StreamLayouts(ids=ids, server_id=server_id, organization_id=ORGANIZATION)


def _layout(number: int, *labels: str, metric: int = CORE) -> telemetry_pb2.Layout:
    series = [telemetry_pb2.Series(metric=catalog_pb2.Metric.ValueType(metric), label_values=[one]) for one in labels]
    return telemetry_pb2.Layout(layout_id=number, series=series)


async def test_the_same_layout_of_a_server_is_stored_once() -> None:
    table = _Table()
    ids = LayoutIds(store=table.store)
    found = []
    for number in (1, 7):
        stream = _stream(ids)
        stream.declare([_layout(number, "0", "1")])
        await stream.store([number])
        found.append(stream.get(number))

    assert found[0] == found[1]
    assert table.asked == 1


async def test_the_same_layout_of_another_server_is_another() -> None:
    ids = LayoutIds(store=_Table().store)
    found = set()
    for server_id in (SERVER, uuid.UUID(int=9)):
        stream = _stream(ids, server_id)
        stream.declare([_layout(1, "0")])
        await stream.store([1])
        stored = stream.get(1)
        assert stored is not None
        found.add(stored.layout_id)

    assert len(found) == 2


async def test_a_layout_that_was_not_declared_is_not_known() -> None:
    stream = _stream(LayoutIds(store=_Table().store))
    await stream.store([5])

    assert stream.get(5) is None


def test_declaring_the_same_twice_changes_nothing() -> None:
    stream = _stream(LayoutIds(store=_Table().store))
    stream.declare([_layout(1, "0"), _layout(1, "0")])

    assert stream.get(1) is None  # declared, not yet stored


@pytest.mark.parametrize("second", [_layout(1, "1"), _layout(0, "1")], ids=["taken", "zero"])
def test_a_number_that_is_taken_or_zero_breaks_the_protocol(second: telemetry_pb2.Layout) -> None:
    stream = _stream(LayoutIds(store=_Table().store))
    stream.declare([_layout(1, "0")])

    with pytest.raises(ProtocolError, match="is taken or 0"):
        stream.declare([second])


def test_layouts_without_end_break_the_protocol() -> None:
    stream = _stream(LayoutIds(store=_Table().store))

    with pytest.raises(ProtocolError, match=f"more than {MAX_LAYOUTS}"):
        stream.declare(_layout(number, str(number)) for number in range(1, MAX_LAYOUTS + 2))


def test_large_layouts_without_end_break_the_protocol() -> None:
    stream = _stream(LayoutIds(store=_Table().store))

    with pytest.raises(ProtocolError, match=f"{MAX_DECLARED_BYTES} bytes on one stream"):
        stream.declare(_layout(number, f"{number}" + "x" * 60_000) for number in range(1, 50))


@pytest.mark.parametrize(
    ("layout", "fault"),
    [
        (_layout(1, *map(str, range(MAX_SERIES + 1))), f"it has {MAX_SERIES + 1} series"),
        (_layout(1, "x" * 70_000), "its label values have more than"),
        (_layout(1, "0", metric=catalog_pb2.METRIC_UPTIME), "series[0].metric is 25"),
        (_layout(1, "0", metric=FILESYSTEM), "series[0] has 1 label values, its metric has 2 label keys"),
        (_layout(1, "0", "0"), "series[1] comes twice"),
    ],
    ids=["too many series", "too long labels", "a scalar", "a label is missing", "twice the same"],
)
async def test_a_layout_that_can_not_be_used_says_why_and_is_not_stored(
    layout: telemetry_pb2.Layout, fault: str
) -> None:
    table = _Table()
    stream = _stream(LayoutIds(store=table.store))
    stream.declare([layout])
    await stream.store([1])
    stored = stream.get(1)

    assert stored is not None
    assert fault in stored.fault
    assert table.asked == 0


async def test_a_labelled_metric_of_a_later_version_is_taken() -> None:
    stream = _stream(LayoutIds(store=_Table().store))
    stream.declare([_layout(1, "a", metric=4999)])
    await stream.store([1])
    stored = stream.get(1)

    assert stored is not None
    assert stored.fault == ""
