"""Labelled series over changing layouts, and the values that a sample shows."""

import math
from dataclasses import replace

import pytest

from flick.errors import FlickError, Kind
from flick.v1 import catalog_pb2, options_pb2, telemetry_pb2
from services.query.rules.catalog import FIRST_LABELLED, Catalog, Selector
from services.query.rules.measured import Measured, processes, values
from services.query.rules.series import CORE as CORE_COLUMNS
from services.query.rules.series import Cell, Layout, cells_of, find_series, with_labels

CATALOG = Catalog.from_contract()
CORE = catalog_pb2.METRIC_CPU_CORE_UTILIZATION
USED = catalog_pb2.METRIC_FILESYSTEM_USED
FREE = catalog_pb2.METRIC_FILESYSTEM_FREE
EVERY = CATALOG.wanted([])
USER = catalog_pb2.METRIC_CPU_UTILIZATION_USER


def test_a_scalar_is_one_series_in_its_column() -> None:
    (found,) = find_series(CATALOG.resolve(["system.uptime"]), {})

    assert (found.labels, found.cells) == ({}, {CORE_COLUMNS: Cell(column="uptime")})


def test_a_series_is_joined_over_layouts_by_its_labels() -> None:
    layouts = {
        7: [(CORE, ["0"]), (USED, ["/dev/sda1", "/"])],
        3: [(USED, ["/dev/sda1", "/"]), (CORE, ["1"]), (CORE, ["0"])],
    }

    found = find_series(CATALOG.resolve(["system.cpu.core.utilization", "system.filesystem.usage"]), layouts)

    assert [(one.label_values, one.cells) for one in found] == [
        (("0",), {7: _labelled(1), 3: _labelled(3)}),
        (("1",), {3: _labelled(2)}),
        (("/dev/sda1", "/"), {7: _labelled(2), 3: _labelled(1)}),
    ]
    assert found[2].labels == {
        "system.filesystem.state": "used",
        "system.device": "/dev/sda1",
        "system.filesystem.mountpoint": "/",
    }
    assert cells_of(found, core=False) == [_labelled(1), _labelled(2), _labelled(3)]
    assert cells_of(found, core=True) == []


def test_series_come_in_the_order_of_the_names_then_of_the_numbers_in_their_labels() -> None:
    layout = [(CORE, [str(number)]) for number in (10, 9, 1, 0, 2)] + [(FREE, ["b", "/b"]), (FREE, ["a", "/a"])]
    names = ["system.filesystem.usage", "system.uptime", "system.cpu.core.utilization"]

    found = find_series(CATALOG.resolve(names), {1: layout})

    assert ["".join(one.label_values[:1]) for one in found] == ["a", "b", "", "0", "1", "2", "9", "10"]


def test_metrics_that_are_unknown_or_not_asked_for_are_left_out() -> None:
    layout = [(CORE, ["0"]), (499_999, ["?"]), (FREE, ["only one of two labels"])]

    assert find_series(CATALOG.resolve(["system.filesystem.usage"]), {1: layout}) == []


def _labelled(position: int) -> Cell:
    return Cell(column="labelled", position=position)


def _measured(*, core: list[float | None], labelled: list[float | None]) -> Measured:
    layout = [(CORE, ["0"]), (CORE, ["1"]), (499_999, ["?"]), (FREE, ["one"])]
    return Measured(time_us=1, core=core, layout=layout, labelled=labelled)


def test_a_sample_shows_what_was_measured_and_nothing_else() -> None:
    measured = _measured(core=[0.5, None, math.nan, 0.0], labelled=[math.nan, 0.25, 1.0, 1.0])

    found = [(one.name, dict(one.labels), one.value) for one in values(measured, catalog=CATALOG, wanted=EVERY)]

    assert found == [
        ("system.cpu.utilization", {}, 0.5),
        ("system.cpu.mode.utilization", {"cpu.mode": "iowait"}, 0.0),
        ("system.cpu.core.utilization", {"cpu.logical_number": "1"}, 0.25),
    ]


def test_a_sample_shows_only_the_metrics_asked_for() -> None:
    measured = _measured(core=[0.5, 0.25], labelled=[0.1, 0.2])

    found = values(
        measured,
        catalog=CATALOG,
        wanted=replace(CATALOG.wanted(["system.uptime"]), numbers=frozenset({catalog_pb2.METRIC_CPU_UTILIZATION_USER})),
    )

    assert [one.value for one in found] == [0.25]


def test_a_sample_of_a_newer_agent_with_more_core_metrics_is_read_as_far_as_known() -> None:
    measured = _measured(core=[0.5] * 400, labelled=[])

    assert len(values(measured, catalog=CATALOG, wanted=EVERY)) == sum(
        0 < number < FIRST_LABELLED for number in EVERY.numbers
    )


def test_processes_keep_their_order() -> None:
    snapshot = telemetry_pb2.ProcessSnapshot(processes=[telemetry_pb2.Process(pid=pid) for pid in (9, 3, 5)])

    assert [one.pid for one in processes(snapshot.SerializeToString())] == [9, 3, 5]


def test_a_damaged_process_snapshot_is_said_to_be_lost() -> None:
    with pytest.raises(FlickError) as lost:
        processes(b"\xff\xff\xff")

    assert lost.value.kind is Kind.DATA_LOSS


def _custom(name: str, *keys: str, unit: str = "") -> Selector:
    return Selector(
        number=0,
        name=name,
        unit=unit,
        kind=options_pb2.METRIC_KIND_GAUGE,
        column="",
        fixed_labels={},
        label_keys=keys,
        description="",
        custom=True,
    )


def test_custom_series_are_joined_by_name_and_labels_and_described_as_the_newest_layout_does() -> None:
    layouts: dict[int, Layout] = {
        1: [(_custom("backup_bytes", "job", "host", unit="old"), ("db", "a")), (CORE, ("0",))],
        2: [(_custom("jobs"), ()), (_custom("backup_bytes", "host", "job", unit="By"), ("a", "db"))],
        3: [(_custom("backup_bytes", "job"), ("10",)), (_custom("backup_bytes", "job"), ("9",))],
    }
    found = find_series(CATALOG.resolve(["backup_bytes"]), layouts)

    assert [(one.labels, one.selector.unit, one.cells) for one in found] == [
        ({"host": "a", "job": "db"}, "By", {1: _labelled(1), 2: _labelled(2)}),
        ({"job": "9"}, "", {3: _labelled(2)}),
        ({"job": "10"}, "", {3: _labelled(1)}),
    ]


def test_all_metrics_are_the_built_in_ones_and_whatever_is_custom() -> None:
    layouts: dict[int, Layout] = {1: [(_custom("b"), ()), (CORE, ("0",)), (_custom("a"), ())]}
    found = find_series(CATALOG.resolve([]), layouts)

    assert [one.selector.name for one in found if one.selector.custom] == ["a", "b"]
    assert len(found) == sum(0 < number < FIRST_LABELLED for number in EVERY.numbers) + 3


def test_labels_choose_among_custom_series_only_once_they_are_known() -> None:
    selectors = CATALOG.resolve(["backup_bytes", "system.uptime"])

    assert [one.name for one in with_labels(selectors, {"job": "db"})] == ["backup_bytes"]


def test_a_custom_name_of_the_wrong_syntax_is_refused_with_the_closest_one() -> None:
    with pytest.raises(FlickError, match=r"'system.uptme' .* closest is 'system.uptime'"):
        CATALOG.resolve(["system.uptme"])
