"""The catalogue is the contract's own: names, columns, labels, descriptions."""

import pytest

from flick.errors import FlickError, Kind
from flick.v1 import catalog_pb2, options_pb2
from services.query.rules.catalog import Catalog


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.from_contract()


def test_every_metric_of_the_contract_has_a_row_with_a_description(catalog: Catalog) -> None:
    rows = {row.number: row for row in catalog.rows}

    assert set(rows) == {number for number in catalog_pb2.Metric.values() if number}
    assert all(row.name and row.unit and row.kind and row.description for row in rows.values())


def test_scalars_have_columns_and_labelled_metrics_have_label_keys(catalog: Catalog) -> None:
    rows = catalog.rows

    assert all(bool(row.column) == (row.number < 500) == (not row.label_keys) for row in rows)
    assert catalog.resolve(["system.cpu.utilization"])[0].column == "cpu_utilization"


def test_rows_of_one_name_agree_on_unit_kind_and_label_keys(catalog: Catalog) -> None:
    by_name: dict[str, set[tuple[object, ...]]] = {}
    for row in catalog.rows:
        by_name.setdefault(row.name, set()).add((row.unit, row.kind, tuple(row.fixed_labels), row.label_keys))

    assert all(len(kinds) == 1 for kinds in by_name.values())


def test_a_name_with_several_rows_stands_for_all_of_them_in_order(catalog: Catalog) -> None:
    rows = catalog.resolve(["system.memory.usage"])

    assert [row.fixed_labels["system.memory.state"] for row in rows] == ["used", "free", "cached", "buffers"]


def test_names_keep_their_order_and_count_once(catalog: Catalog) -> None:
    names = ["system.uptime", "system.cpu.utilization", "system.uptime"]

    assert [row.name for row in catalog.resolve(names)] == names[:2]


@pytest.mark.parametrize(
    ("asked", "closest"),
    [
        ("system.cpu.utilisation", "system.cpu.utilization"),
        ("system.memory.use", "system.memory.usage"),
        ("cpu.utilization", "system.cpu.utilization"),
    ],
)
def test_an_unknown_name_is_refused_with_the_closest_one(catalog: Catalog, asked: str, closest: str) -> None:
    with pytest.raises(FlickError) as refused:
        catalog.resolve(["system.uptime", asked])

    assert refused.value.kind is Kind.INVALID_ARGUMENT
    assert [violation.field for violation in refused.value.violations] == ["names"]
    assert repr(asked) in refused.value.public
    assert repr(closest) in refused.value.public


def test_an_endless_or_empty_name_is_refused_shortly(catalog: Catalog) -> None:
    for name in ("", "x" * 100_000):
        with pytest.raises(FlickError) as refused:
            catalog.resolve([name])

        assert len(refused.value.public) < 300


def test_descriptors_group_the_rows_of_a_name_and_tell_their_label_keys(catalog: Catalog) -> None:
    found = {one.name: one for one in catalog.descriptors()}

    assert list(found) == sorted(found)
    usage = found["system.filesystem.usage"]
    assert usage.unit == "By"
    assert usage.kind == options_pb2.METRIC_KIND_GAUGE
    assert list(usage.label_keys) == ["system.filesystem.state", "system.device", "system.filesystem.mountpoint"]
    assert usage.description.splitlines()[0] == "system.filesystem.state=used: Space in use on a file system."
    assert found["system.uptime"].description == "Time since the system was started."
