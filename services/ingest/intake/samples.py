"""Whether samples can be stored, and the rows that they become. Pure."""

import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.message import DecodeError

from flick.v1 import catalog_pb2, ingest_pb2, telemetry_pb2

FUTURE_TOLERANCE_NS = 10 * 10**9
DAY_NS = 86_400 * 10**9
MAX_VALUE = 1e300  # either way; any number of such values can be added up
MAX_PROCESSES = 200
MAX_PROCESSES_BYTES = 128 * 1024  # 200 processes with command lines of 256 characters stay below 100 KiB

CORE_COLUMNS = tuple(
    value.name.removeprefix("METRIC_").lower()
    for value in sorted(catalog_pb2.Metric.DESCRIPTOR.values, key=lambda value: value.number)
    if 0 < value.number < 500
)
"""Columns of the scalar metrics: that of metric number n at position n - 1."""

_EPOCH = datetime.fromtimestamp(0, tz=UTC)
_CORE_COUNT = len(CORE_COLUMNS)
_Reason = ingest_pb2.RejectionReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A sample as it is stored.

    Attributes:
        metrics: time, server, organization, time of receipt, the core columns in order, layout id, labelled values.
        processes: the packed snapshot; empty: none.
        sample: the sample itself, with the stored layout's id and without processes.
    """

    metrics: tuple[Any, ...]
    processes: bytes
    sample: telemetry_pb2.Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What decides about the samples of one frame.

    Attributes:
        server_id, organization_id: whose samples they are.
        now_ns: ingest's clock, nanoseconds since the Unix epoch.
        retention_days: how long the server's samples are kept.
        processes_enabled, process_commands_enabled: as the server's settings say.
        layout: the stored id of a layout that the stream declared, and how many series it has; None: not declared.
    """

    server_id: uuid.UUID
    organization_id: uuid.UUID
    now_ns: int
    retention_days: int
    processes_enabled: bool
    process_commands_enabled: bool
    layout: Callable[[int], "StoredLayout | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLayout:
    """A layout as `telemetry.layouts` knows it. `fault`: why it can't be used, empty when it can."""

    layout_id: int
    series_count: int
    fault: str = ""


@dataclass(slots=True)
class Rejections:
    """What was refused of one frame: how many samples for each reason, and the first in words."""

    counts: dict[_Reason.ValueType, int] = field(default_factory=dict)
    details: dict[_Reason.ValueType, str] = field(default_factory=dict)

    def add(self, reason: _Reason.ValueType, detail: str, *, count: int = 1) -> None:
        """Refuse `count` samples."""
        self.counts[reason] = self.counts.get(reason, 0) + count
        self.details.setdefault(reason, detail)

    def to_messages(self, *, seq: int) -> list[ingest_pb2.Rejection]:
        """As the ack of frame `seq` tells it."""
        return [
            ingest_pb2.Rejection(seq=seq, reason=reason, count=count, detail=self.details[reason])
            for reason, count in self.counts.items()
        ]


class _RefusedError(Exception):
    def __init__(self, reason: _Reason.ValueType, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def to_rows(samples: Sequence[telemetry_pb2.Sample], *, context: Context, rejections: Rejections) -> list[Row]:
    """The rows of those samples that can be stored; the others are added to `rejections`.

    Changes the samples into what viewers get: with the stored layouts' ids, without processes.
    """
    received_at = _moment(context.now_ns)
    rows = []
    for index, sample in enumerate(samples):
        try:
            rows.append(_to_row(sample, context, received_at))
        except _RefusedError as refused:
            rejections.add(refused.reason, f"samples[{index}].{refused.detail}")
    return rows


def _to_row(sample: telemetry_pb2.Sample, context: Context, received_at: datetime) -> Row:
    _check_time(sample.time_unix_nano, context)
    core = _values(sample.core[:_CORE_COUNT], "core")
    core += [None] * (_CORE_COUNT - len(core))
    sample.layout_id = _stored_layout(sample, context)
    labelled = _values(sample.labelled, "labelled") if sample.layout_id else None
    processes = _processes(sample.processes, context) if sample.processes else b""
    sample.ClearField("processes")
    metrics = (
        _moment(sample.time_unix_nano),
        context.server_id,
        context.organization_id,
        received_at,
        *core,
        sample.layout_id or None,
        labelled,
    )
    return Row(metrics=metrics, processes=processes, sample=sample)


def _check_time(time_ns: int, context: Context) -> None:
    ahead_ns = time_ns - context.now_ns
    if ahead_ns > FUTURE_TOLERANCE_NS:
        raise _RefusedError(
            _Reason.REJECTION_REASON_FUTURE,
            f"time_unix_nano is {ahead_ns / 1e9:.1f} s ahead of ingest's clock. Set the clock of the host.",
        )
    if -ahead_ns > context.retention_days * DAY_NS:
        raise _RefusedError(
            _Reason.REJECTION_REASON_TOO_OLD,
            f"time_unix_nano is older than the {context.retention_days} days that this server's samples are kept.",
        )


def _values(numbers: Sequence[float], name: str) -> list[float | None]:
    """The numbers, with None for what was not measured (NaN)."""
    values = [number if -MAX_VALUE <= number <= MAX_VALUE else None for number in numbers]
    if None in values:
        for index, number in enumerate(numbers):
            if values[index] is None and not math.isnan(number):
                raise _RefusedError(
                    _Reason.REJECTION_REASON_MALFORMED,
                    f"{name}[{index}] is {number}. Send NaN, or a number between -{MAX_VALUE} and {MAX_VALUE}.",
                )
    return values


def _stored_layout(sample: telemetry_pb2.Sample, context: Context) -> int:
    if not sample.layout_id and not sample.labelled:
        return 0
    layout = context.layout(sample.layout_id)
    if layout is None:
        raise _RefusedError(
            _Reason.REJECTION_REASON_LAYOUT,
            f"layout_id {sample.layout_id} was not declared on this stream. Declare it first.",
        )
    if layout.fault:
        raise _RefusedError(_Reason.REJECTION_REASON_LAYOUT, f"layout_id {sample.layout_id}: {layout.fault}")
    if layout.series_count != len(sample.labelled):
        raise _RefusedError(
            _Reason.REJECTION_REASON_LAYOUT,
            f"labelled has {len(sample.labelled)} values, layout {sample.layout_id} has {layout.series_count} series.",
        )
    return layout.layout_id


def _processes(packed: bytes, context: Context) -> bytes:
    if not context.processes_enabled:
        return b""
    if len(packed) > MAX_PROCESSES_BYTES:
        raise _malformed_processes(f"has {len(packed)} bytes, {MAX_PROCESSES_BYTES} at most")
    try:
        snapshot = telemetry_pb2.ProcessSnapshot.FromString(packed)
    except DecodeError as error:
        raise _malformed_processes("is no ProcessSnapshot") from error
    if len(snapshot.processes) > MAX_PROCESSES:
        raise _malformed_processes(f"lists {len(snapshot.processes)} processes, {MAX_PROCESSES} at most")
    if context.process_commands_enabled or not any(process.command for process in snapshot.processes):
        return packed
    for process in snapshot.processes:
        process.command = ""
    return snapshot.SerializeToString()


def _malformed_processes(what: str) -> _RefusedError:
    return _RefusedError(_Reason.REJECTION_REASON_MALFORMED, f"processes {what}.")


def _moment(time_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_ns // 1000)
