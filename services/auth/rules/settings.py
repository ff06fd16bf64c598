"""The ranges of a server's settings, as flick.v1.ServerSettings promises them."""

from flick.errors import invalid
from flick.v1 import servers_pb2

CHANGEABLE = ("metric_interval", "retention_days", "processes_enabled", "process_commands_enabled")
MAX_METRIC_INTERVAL_S = 300
MAX_RETENTION_DAYS = 3650


def merge(
    present: servers_pb2.ServerSettings, asked: servers_pb2.ServerSettings, *, fields: frozenset[str]
) -> servers_pb2.ServerSettings:
    """`present` with `fields` taken from `asked`. Raises INVALID_ARGUMENT when a new value is out of its range."""
    merged = servers_pb2.ServerSettings()
    merged.CopyFrom(present)
    if "metric_interval" in fields:
        merged.metric_interval.FromSeconds(_metric_interval_s(asked))
    if "retention_days" in fields:
        merged.retention_days = _retention_days(asked)
    if "processes_enabled" in fields:
        merged.processes_enabled = asked.processes_enabled
    if "process_commands_enabled" in fields:
        merged.process_commands_enabled = asked.process_commands_enabled
    return merged


def _metric_interval_s(asked: servers_pb2.ServerSettings) -> int:
    interval = asked.metric_interval
    if interval.nanos or not 1 <= interval.seconds <= MAX_METRIC_INTERVAL_S:
        raise invalid("settings.metric_interval", f"must be whole seconds, 1 s to {MAX_METRIC_INTERVAL_S} s.")
    return interval.seconds


def _retention_days(asked: servers_pb2.ServerSettings) -> int:
    if not 1 <= asked.retention_days <= MAX_RETENTION_DAYS:
        raise invalid("settings.retention_days", f"is {asked.retention_days}; give 1 to {MAX_RETENTION_DAYS}.")
    return asked.retention_days
