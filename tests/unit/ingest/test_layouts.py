"""Layouts: what a stream may declare, and that the same layout is stored once."""

import uuid

import pytest

from flick.v1 import catalog_pb2, ingest_pb2, options_pb2, telemetry_pb2
from services.ingest.intake.lanes import ProtocolError
from services.ingest.intake.layouts import (
    MAX_DECLARED_BYTES,
    MAX_LABEL_BYTES,
    MAX_LAYOUTS,
    MAX_SERIES,
    LayoutIds,
    StoredLayout,
    StreamLayouts,
)
from services.ingest.intake.overflows import Overflow

SERVER, ORGANIZATION = uuid.UUID(int=1), uuid.UUID(int=2)
CORE = catalog_pb2.METRIC_CPU_CORE_UTILIZATION
FILESYSTEM = catalog_pb2.METRIC_FILESYSTEM_USED


class _Table:
    """The table of layouts, in memory."""

    def __init__(self) -> None:
        self.asked = 0
        self.series: list[telemetry_pb2.Layout] = []
        self.full = False
        self._ids: dict[tuple[uuid.UUID, bytes], int] = {}

    async def store(
        self, server_id: uuid.UUID, _organization_id: uuid.UUID, digest: bytes, series: bytes
    ) -> int | None:
        self.asked += 1
        if self.full:
            return None
        self.series.append(telemetry_pb2.Layout.FromString(series))
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
        (_layout(1, "0", metric=catalog_pb2.METRIC_UPTIME), "series[0].metric is 25"),
        (_layout(1, "0", metric=FILESYSTEM), "series[0] has 1 label values, its metric has 2 label keys"),
        (_layout(1, "0", "0"), "series[1] comes twice"),
    ],
    ids=["a scalar", "a label is missing", "twice the same"],
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


@pytest.mark.parametrize(
    ("labels", "kept", "kind"),
    [
        ([str(number) for number in range(MAX_SERIES)], MAX_SERIES, None),
        ([str(number) for number in range(MAX_SERIES + 3)], MAX_SERIES, ingest_pb2.OVERFLOW_KIND_SERIES),
        (["x" * (MAX_LABEL_BYTES - 1), "y"], 2, None),
        (["\N{SNOWMAN}" * (MAX_LABEL_BYTES // 3), "yy", "z"], 1, ingest_pb2.OVERFLOW_KIND_TEXT),
    ],
    ids=["as many series as may be", "more series", "as much text as may be", "more text"],
)
async def test_the_first_series_of_a_layout_beyond_the_limits_count(
    labels: list[str], kept: int, kind: ingest_pb2.OverflowKind.ValueType | None
) -> None:
    table = _Table()
    stream = _stream(LayoutIds(store=table.store))
    stream.declare([_layout(1, *labels)])
    await stream.store([1])
    stored = stream.get(1)

    assert stored is not None
    assert (stored.layout_id, stored.series_count, stored.kept_count) == (1, len(labels), kept)
    assert (stored.overflow and stored.overflow.kind) == kind
    assert [one.label_values[0] for one in table.series[0].series] == labels[:kept]


async def test_layouts_with_the_same_first_series_are_one_when_the_rest_is_left_out() -> None:
    table = _Table()
    stream = _stream(LayoutIds(store=table.store))
    labels = [str(number) for number in range(MAX_SERIES)]
    stream.declare([_layout(1, *labels, "a"), _layout(2, *labels, "b", "c")])
    await stream.store([1, 2])
    found = [stream.get(number) for number in (1, 2)]

    assert [(one.layout_id, one.series_count) for one in found if one] == [(1, MAX_SERIES + 1), (1, MAX_SERIES + 2)]


async def test_a_first_series_beyond_the_limits_leaves_nothing_to_store() -> None:
    table = _Table()
    stream = _stream(LayoutIds(store=table.store))
    stream.declare([_layout(1, "x" * (MAX_LABEL_BYTES + 1))])
    await stream.store([1])
    stored = stream.get(1)

    assert stored is not None
    assert (stored.layout_id, stored.fault, table.asked) == (0, "", 0)
    assert stored.overflow == Overflow(
        ingest_pb2.OVERFLOW_KIND_TEXT, 1, f"{MAX_LABEL_BYTES} bytes of labels and custom metrics at most."
    )


async def test_a_layout_without_room_is_not_asked_for_again_on_its_stream() -> None:
    table = _Table()
    table.full = True
    ids = LayoutIds(store=table.store)
    stream = _stream(ids)
    stream.declare([_layout(1, "0", "1")])
    for _ in range(2):
        await stream.store([1])
    refused, asked = stream.get(1), table.asked
    table.full = False
    again = _stream(ids)
    again.declare([_layout(1, "0", "1")])
    await again.store([1])
    stored = again.get(1)

    assert refused is not None
    assert stored is not None
    assert (refused.layout_id, refused.kept_count, asked, stored.layout_id) == (0, 0, 1, 1)
    assert refused.overflow is not None
    assert (refused.overflow.kind, refused.overflow.count) == (ingest_pb2.OVERFLOW_KIND_LAYOUTS, 2)


def _custom(name: str = "backup_bytes", *keys: str, **more: object) -> telemetry_pb2.CustomMetric:
    kind = {"kind": options_pb2.METRIC_KIND_GAUGE, **more}
    return telemetry_pb2.CustomMetric(name=name, label_keys=keys, **kind)  # type: ignore[arg-type]


def _series(place: int, *labels: str, metric: int = 0) -> telemetry_pb2.Series:
    return telemetry_pb2.Series(metric=catalog_pb2.Metric.ValueType(metric), custom_metric=place, label_values=labels)


async def _stored(layout: telemetry_pb2.Layout) -> tuple[_Table, StoredLayout]:
    table = _Table()
    stream = _stream(LayoutIds(store=table.store))
    stream.declare([layout])
    await stream.store([layout.layout_id])
    stored = stream.get(layout.layout_id)
    assert stored is not None
    return table, stored


async def test_custom_metrics_are_stored_with_their_layout() -> None:
    series = [_series(0, "0", metric=CORE), _series(1, "db"), _series(2), _series(1, "web")]
    layout = telemetry_pb2.Layout(layout_id=1, series=series, custom_metrics=[_custom("a", "job"), _custom("b")])
    table, stored = await _stored(layout)

    assert (stored.fault, stored.kept_count) == ("", 4)
    assert table.series == [telemetry_pb2.Layout(series=series, custom_metrics=layout.custom_metrics)]


async def test_another_description_is_another_layout() -> None:
    table = _Table()
    ids = LayoutIds(store=table.store)
    found = set()
    for unit in ("s", "By"):
        stream = _stream(ids)
        metric = _custom("a", unit=unit)
        stream.declare([telemetry_pb2.Layout(layout_id=1, series=[_series(1)], custom_metrics=[metric])])
        await stream.store([1])
        stored = stream.get(1)
        assert stored is not None
        found.add(stored.layout_id)

    assert len(found) == 2


async def test_custom_metrics_whose_series_are_cut_off_go_with_them() -> None:
    series = [_series(0, str(number), metric=CORE) for number in range(MAX_SERIES)]
    layout = telemetry_pb2.Layout(layout_id=1, series=[*series, _series(1)], custom_metrics=[_custom("a")])
    table, stored = await _stored(layout)

    assert stored.kept_count == MAX_SERIES
    assert list(table.series[0].custom_metrics) == []


async def test_the_text_of_custom_metrics_counts_once_for_each() -> None:
    metrics = [_custom(f"a{number:03}", description="x" * 400) for number in range(200)]
    layout = telemetry_pb2.Layout(
        layout_id=1, series=[_series(place + 1) for place in range(200)], custom_metrics=metrics
    )
    table, stored = await _stored(layout)

    assert stored.kept_count == MAX_LABEL_BYTES // 404
    assert stored.kind == ingest_pb2.OVERFLOW_KIND_TEXT
    assert len(table.series[0].custom_metrics) == stored.kept_count


@pytest.mark.parametrize(
    ("series", "metrics", "fault"),
    [
        ([_series(1, metric=CORE)], [_custom()], "custom_metric is 1"),
        ([_series(1)], [], "custom_metric is 1"),
        ([_series(2), _series(1)], [_custom("a"), _custom("b")], "custom_metric is 2"),
        ([_series(0)], [_custom()], "series[0].metric is 0"),
        ([_series(1)], [_custom("system.uptime")], "write letters, digits"),
        ([_series(1)], [_custom("")], "write letters, digits"),
        ([_series(1)], [_custom("a" * 201)], "201 bytes"),
        ([_series(1)], [_custom("a", unit="two words")], "unit of UCUM"),
        ([_series(1)], [_custom("a", kind=options_pb2.METRIC_KIND_UNSPECIFIED)], "a gauge or a rate"),
        ([_series(1)], [_custom("a", kind=70_000)], "a gauge or a rate"),
        ([_series(1)], [_custom("a", description="x" * 401)], "400 bytes at most"),
        ([_series(1)], [_custom("a", description="x\0y")], "one line"),
        ([_series(1)], [_custom("a", "job")], "0 label values, its metric has 1"),
        ([_series(1, "1", "2")], [_custom("a", "job", "job")], "comes twice"),
        ([_series(1, "1")], [_custom("a", "system.device")], "has the label"),
        ([_series(1, "1")], [_custom("a", "__name__")], "has the label"),
        ([_series(1, "x" * 513)], [_custom("a", "job")], "513 bytes"),
        ([_series(1, "1"), _series(1, "1")], [_custom("a", "job")], "series[1] comes twice"),
        ([_series(1), _series(2)], [_custom("a"), _custom("a", unit="s")], "series[1] comes twice"),
    ],
)
async def test_custom_metrics_that_break_a_rule_are_named(
    series: list[telemetry_pb2.Series], metrics: list[telemetry_pb2.CustomMetric], fault: str
) -> None:
    table, stored = await _stored(telemetry_pb2.Layout(layout_id=1, series=series, custom_metrics=metrics))

    assert fault in stored.fault
    assert table.asked == 0
