"""Custom metrics as they are described for query, out of the layouts that name them. Pure."""

import uuid
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from flick.v1 import telemetry_pb2
from services.ingest.intake.new_layouts import NewLayout

Description: TypeAlias = tuple[uuid.UUID, uuid.UUID, str, str, int, str, str]
"""Source, organization, name, unit, kind, description, label keys joined by commas."""


def described(layouts: Iterable[NewLayout]) -> Sequence[Description]:
    """The custom metrics of layouts, each name of a source once: with the keys of all its sets of labels."""
    found: dict[tuple[uuid.UUID, str], Description] = {}
    for layout in layouts:
        for metric in telemetry_pb2.Layout.FromString(layout.series).custom_metrics:
            key = (layout.server_id, metric.name)
            before = found[key][-1].split(",") if key in found and found[key][-1] else []
            found[key] = (
                layout.server_id,
                layout.organization_id,
                metric.name,
                metric.unit,
                metric.kind,
                metric.description,
                ",".join(dict.fromkeys([*before, *metric.label_keys])),
            )
    return list(found.values())
