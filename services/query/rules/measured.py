"""One sample, whether it comes from Redis, the bus or PostgreSQL, and the values it shows. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from flick.errors import FlickError, Kind
from flick.v1 import query_pb2, telemetry_pb2
from services.query.rules.catalog import Catalog, Selector, Wanted
from services.query.rules.series import Layout


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Everything measured at one moment.

    Attributes:
        time_us: microseconds since the Unix epoch.
        core: value of metric number n at position n - 1; None or NaN: not measured.
        layout: which series stand in `labelled`.
        labelled: their values; None or NaN: not measured.
    """

    time_us: int
    core: Sequence[float | None]
    layout: Layout
    labelled: Sequence[float | None]


def from_sample(sample: telemetry_pb2.Sample, layout: Layout) -> Measured:
    """A sample as it passes through Redis."""
    return Measured(time_us=sample.time_unix_nano // 1000, core=sample.core, layout=layout, labelled=sample.labelled)


def values(measured: Measured, *, catalog: Catalog, wanted: Wanted) -> list[query_pb2.MetricValue]:
    """What was measured of the metrics that are wanted, in the order of the catalogue, then of the layout."""
    found = []
    for number, value in enumerate(measured.core, start=1):
        selector = catalog.find(number) if number in wanted else None
        if selector is not None and value is not None and not math.isnan(value):
            found.append(query_pb2.MetricValue(name=selector.name, labels=selector.fixed_labels, value=value))
    for (metric, label_values), value in zip(measured.layout, measured.labelled, strict=False):
        known = metric if isinstance(metric, Selector) else catalog.find(metric)
        selector = known if metric in wanted else None
        if selector is None or value is None or math.isnan(value) or len(label_values) != len(selector.label_keys):
            continue
        labels = selector.labels(label_values)
        found.append(query_pb2.MetricValue(name=selector.name, labels=labels, value=value))
    return found


def processes(packed: bytes) -> list[telemetry_pb2.Process]:
    """The processes of a stored snapshot. Raises DATA_LOSS when it can't be read."""
    try:
        return list(telemetry_pb2.ProcessSnapshot.FromString(packed).processes)
    except DecodeError as error:
        raise FlickError(
            Kind.DATA_LOSS, "The stored processes of this moment can't be read.", private=str(error)
        ) from error
