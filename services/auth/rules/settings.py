"""Settings of servers, which are inherited: what nobody set for a server, its group or its organization is the default.

The ranges and the defaults are those that flick.v1.ServerSettings promises.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from flick.errors import invalid
from flick.v1 import servers_pb2
from services.auth.rules.masks import changed_fields

CHANGEABLE = ("metric_interval", "retention_days", "processes_enabled", "process_commands_enabled")
MAX_METRIC_INTERVAL_S = 300
MAX_RETENTION_DAYS = 3650
DEFAULTS = servers_pb2.ServerSettings(
    metric_interval=Duration(seconds=5), retention_days=30, processes_enabled=True, process_commands_enabled=True
)

SettingsChange: TypeAlias = Mapping[str, int | bool | None]
"""The new values of some fields, intervals in seconds; None clears a field, so that it is inherited again."""

Level: TypeAlias = servers_pb2.SettingsLevel.ValueType


def read_change(
    asked: servers_pb2.ServerSettings, mask: FieldMask, *, field: str = "settings", mask_field: str = "update_mask"
) -> SettingsChange:
    """What the fields that `mask` names are to be. Raises INVALID_ARGUMENT when a new value is out of its range.

    Args:
        asked: the new values.
        mask: the fields to change.
        field, mask_field: what the request calls them.
    """
    fields = changed_fields(
        mask, changeable=CHANGEABLE, message=servers_pb2.ServerSettings.DESCRIPTOR, field=mask_field
    )
    return {name: _value(asked, name, field=f"{field}.{name}") for name in CHANGEABLE if name in fields}


def effective(overrides: Iterable[tuple[Level, servers_pb2.ServerSettings]]) -> servers_pb2.ServerSettings:
    """What is in effect, and the level that each value comes from.

    Args:
        overrides: what is set at each level, from the outermost (the organization) to the innermost.
    """
    settings = servers_pb2.ServerSettings()
    settings.CopyFrom(DEFAULTS)
    for name in CHANGEABLE:
        settings.levels[name] = servers_pb2.SETTINGS_LEVEL_DEFAULT
    for level, values in overrides:
        settings.MergeFrom(values)
        for name in CHANGEABLE:
            if values.HasField(name):  # type: ignore[arg-type]  # CHANGEABLE names fields
                settings.levels[name] = level
    return settings


def _value(asked: servers_pb2.ServerSettings, name: str, *, field: str) -> int | bool | None:
    if not asked.HasField(name):  # type: ignore[arg-type]  # as above
        return None
    if name == "metric_interval":
        interval = asked.metric_interval
        if interval.nanos or not 1 <= interval.seconds <= MAX_METRIC_INTERVAL_S:
            raise invalid(field, f"must be whole seconds, 1 s to {MAX_METRIC_INTERVAL_S} s.")
        return interval.seconds
    if name == "retention_days" and not 1 <= asked.retention_days <= MAX_RETENTION_DAYS:
        raise invalid(field, f"is {asked.retention_days}; give 1 to {MAX_RETENTION_DAYS}.")
    value: int | bool = getattr(asked, name)
    return value
