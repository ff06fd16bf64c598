"""The metric catalogue as the agent needs it, derived from the options of the contract's `Metric` enum."""

from collections.abc import Mapping
from dataclasses import dataclass

from flick.v1 import catalog_pb2, options_pb2

FIRST_LABELLED = 500  # proto/flick/v1/catalog.proto: scalars are numbered 1 to 499


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One row of the catalogue; the fields are those of `flick.v1.MetricRule`."""

    number: int
    name: str
    unit: str
    fixed_labels: tuple[str, ...]
    label_keys: tuple[str, ...]

    @property
    def is_scalar(self) -> bool:
        """Whether a server has one value of it, at position `number - 1` of `Sample.core`."""
        return self.number < FIRST_LABELLED


def _read() -> Mapping[int, CatalogEntry]:
    entries = {}
    for value in catalog_pb2.Metric.DESCRIPTOR.values:
        if value.number == catalog_pb2.METRIC_UNSPECIFIED:
            continue
        rule = value.GetOptions().Extensions[options_pb2.metric]
        entries[value.number] = CatalogEntry(
            number=value.number,
            name=rule.name,
            unit=rule.unit,
            fixed_labels=tuple(rule.fixed_labels),
            label_keys=tuple(rule.label_keys),
        )
    return entries


CATALOG: Mapping[int, CatalogEntry] = _read()
CORE_LENGTH = max(entry.number for entry in CATALOG.values() if entry.is_scalar)
