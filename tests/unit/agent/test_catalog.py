"""The agent's catalogue is the contract's."""

from agent.catalog import CATALOG, CORE_LENGTH
from flick.v1 import catalog_pb2


def test_every_metric_of_the_contract_stands_in_the_catalogue() -> None:
    numbers = {number for number in catalog_pb2.Metric.values() if number != catalog_pb2.METRIC_UNSPECIFIED}

    assert CATALOG.keys() == numbers
    assert all(entry.name and entry.unit for entry in CATALOG.values())


def test_scalars_have_positions_without_a_hole_and_no_label_keys() -> None:
    scalars = [entry for entry in CATALOG.values() if entry.is_scalar]

    assert sorted(entry.number - 1 for entry in scalars) == list(range(CORE_LENGTH))
    assert not any(entry.label_keys for entry in scalars)


def test_labelled_metrics_have_label_keys() -> None:
    assert all(entry.label_keys for entry in CATALOG.values() if not entry.is_scalar)
