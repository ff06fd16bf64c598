"""Labelled series over changing layouts, and the values that a sample shows."""

import math

import pytest

from flick.errors import FlickError, Kind
from flick.v1 import catalog_pb2, telemetry_pb2
from services.query.rules.catalog import FIRST_LABELLED, Catalog
from services.query.rules.measured import Measured, processes, values
from services.query.rules.series import CORE as CORE_COLUMNS
from services.query.rules.series import Cell, cells_of, find_series

CATALOG = Catalog.from_contract()
CORE = catalog_pb2.METRIC_CPU_CORE_UTILIZATION
USED = catalog_pb2.METRIC_FILESYSTEM_USED
FREE = catalog_pb2.METRIC_FILESYSTEM_FREE
EVERY = frozenset(catalog_pb2.Metric.values())


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

    found = values(measured, catalog=CATALOG, wanted=frozenset({catalog_pb2.METRIC_CPU_UTILIZATION_USER}))

    assert [one.value for one in found] == [0.25]


def test_a_sample_of_a_newer_agent_with_more_core_metrics_is_read_as_far_as_known() -> None:
    measured = _measured(core=[0.5] * 400, labelled=[])

    assert len(values(measured, catalog=CATALOG, wanted=EVERY)) == sum(0 < number < FIRST_LABELLED for number in EVERY)


def test_processes_keep_their_order() -> None:
    snapshot = telemetry_pb2.ProcessSnapshot(processes=[telemetry_pb2.Process(pid=pid) for pid in (9, 3, 5)])

    assert [one.pid for one in processes(snapshot.SerializeToString())] == [9, 3, 5]


def test_a_damaged_process_snapshot_is_said_to_be_lost() -> None:
    with pytest.raises(FlickError) as lost:
        processes(b"\xff\xff\xff")

    assert lost.value.kind is Kind.DATA_LOSS
