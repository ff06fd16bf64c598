"""Whether samples can be stored, and the rows that they become. Pure."""

import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from flick.v1 import catalog_pb2, telemetry_pb2
from services.ingest.intake import binary
from services.ingest.intake.layouts import StoredLayout
from services.ingest.intake.overflows import Overflow, Overflows
from services.ingest.intake.processes import check_processes
from services.ingest.intake.rejections import Reason, Rejections

FUTURE_TOLERANCE_NS = 10 * 10**9  # a clock further ahead is an event too: ledger/ledger.py has the same bound
DAY_NS = 86_400 * 10**9
MAX_VALUE = 1e300  # either way; any number of such values can be added up

CORE_COUNT = max(number for number in catalog_pb2.Metric.values() if number < 500)
"""How many scalar metrics the catalogue has. That of number n stands at position n - 1."""


class Owner(NamedTuple):
    """Whose samples they are."""

    server_id: uuid.UUID
    organization_id: uuid.UUID


@dataclass(slots=True)
class Row:
    """A sample as it is stored: its columns as binary COPY takes them, see `binary`.

    Attributes:
        owner: whose it is.
        metrics: time, server, organization, time of receipt, layout id, core values, labelled values.
        processes: time, server, organization, the packed snapshot; empty: there is none.
        sample: the sample itself, with the stored layout's id and without processes.
    """

    owner: Owner
    metrics: bytes
    processes: bytes
    sample: telemetry_pb2.Sample


@dataclass(frozen=True, kw_only=True)
class Context:
    """What decides about the samples of one server.

    Attributes:
        owner: whose samples they are.
        retention_days: how long the server's samples are kept.
        processes_enabled, process_commands_enabled: as the server's settings say.
        layout: a layout that the stream declared, as it is stored; None: not declared.
    """

    owner: Owner
    retention_days: int
    processes_enabled: bool
    process_commands_enabled: bool
    layout: Callable[[int], StoredLayout | None]

    @cached_property
    def owner_columns(self) -> bytes:
        """The owner as the rows hold it."""
        return binary.identifier(self.owner.server_id) + binary.identifier(self.owner.organization_id)


class _RefusedError(Exception):
    def __init__(self, reason: Reason.ValueType, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def to_rows(
    samples: Sequence[telemetry_pb2.Sample],
    *,
    context: Context,
    now_ns: int,
    rejections: Rejections,
    overflows: Overflows,
) -> list[Row]:
    """The rows of those samples that can be stored; the others are added to `rejections`.

    What is left out of a row is added to `overflows`. Changes the samples into what viewers get: with the stored
    layouts' ids, without processes and without what was left out. `now_ns`: ingest's clock, nanoseconds since the Unix
    epoch.
    """
    received_at = binary.moment(now_ns)
    rows = []
    for index, sample in enumerate(samples):
        left_out: list[Overflow] = []
        try:
            _check_time(sample.time_unix_nano, now_ns, context)
            rows.append(_to_row(sample, context, received_at, left_out))
        except _RefusedError as refused:
            rejections.add(refused.reason, f"samples[{index}].{refused.detail}")
            continue
        for overflow in left_out:
            overflows.add(overflow, where=f"samples[{index}]")
    return rows


def _to_row(sample: telemetry_pb2.Sample, context: Context, received_at: bytes, left_out: list[Overflow]) -> Row:
    core = sample.core[:CORE_COUNT]
    is_whole = _are_whole(core, "core")
    while not is_whole and core and math.isnan(core[-1]):  # so that equal samples are equal bytes
        core.pop()
    core_column = binary.numbers("d", core, whole=is_whole)
    _fit_layout(sample, context, left_out)
    layout, labelled_column = binary.NULL, binary.NULL
    if sample.layout_id:
        labelled = sample.labelled[:]
        layout = binary.integer(sample.layout_id)
        labelled_column = binary.numbers("f", labelled, whole=_are_whole(labelled, "labelled"))
    key = binary.moment(sample.time_unix_nano) + context.owner_columns
    processes = _processes(sample.processes, context, left_out) if sample.processes else b""
    sample.ClearField("processes")
    return Row(
        owner=context.owner,
        metrics=b"".join((key, received_at, layout, core_column, labelled_column)),
        processes=key + binary.blob(processes) if processes else b"",
        sample=sample,
    )


def _check_time(time_ns: int, now_ns: int, context: Context) -> None:
    ahead_ns = time_ns - now_ns
    if ahead_ns > FUTURE_TOLERANCE_NS:
        raise _RefusedError(
            Reason.REJECTION_REASON_FUTURE,
            f"time_unix_nano is {ahead_ns / 1e9:.1f} s ahead of ingest's clock. Set the clock of the host.",
        )
    if -ahead_ns > context.retention_days * DAY_NS:
        raise _RefusedError(
            Reason.REJECTION_REASON_TOO_OLD,
            f"time_unix_nano is older than the {context.retention_days} days that this server's samples are kept.",
        )


def _are_whole(numbers: Sequence[float], name: str) -> bool:
    """Whether every number was measured, that is, none is NaN. Raises _RefusedError when one is no fit value."""
    if math.hypot(*numbers) <= MAX_VALUE:  # bounds each of them, and nothing compares with NaN
        return True
    whole = True
    for index, number in enumerate(numbers):
        if math.isnan(number):
            whole = False
        elif not -MAX_VALUE <= number <= MAX_VALUE:
            raise _RefusedError(
                Reason.REJECTION_REASON_MALFORMED,
                f"{name}[{index}] is {number}. Send NaN, or a number between -{MAX_VALUE} and {MAX_VALUE}.",
            )
    return whole


def _fit_layout(sample: telemetry_pb2.Sample, context: Context, left_out: list[Overflow]) -> None:
    """Give the sample its layout's stored id, and leave it the values that this has places for."""
    if not sample.layout_id and not sample.labelled:
        return
    layout = context.layout(sample.layout_id)
    if layout is None:
        raise _RefusedError(
            Reason.REJECTION_REASON_LAYOUT,
            f"layout_id {sample.layout_id} was not declared on this stream. Declare it first.",
        )
    if layout.fault:
        raise _RefusedError(Reason.REJECTION_REASON_LAYOUT, f"layout_id {sample.layout_id}: {layout.fault}")
    if layout.series_count != len(sample.labelled):
        raise _RefusedError(
            Reason.REJECTION_REASON_LAYOUT,
            f"labelled has {len(sample.labelled)} values, layout {sample.layout_id} has {layout.series_count} series.",
        )
    sample.layout_id = layout.layout_id
    if overflow := layout.overflow:
        left_out.append(overflow)
        del sample.labelled[layout.kept_count :]


def _processes(packed: bytes, context: Context, left_out: list[Overflow]) -> bytes:
    if not context.processes_enabled:
        return b""
    snapshot = check_processes(packed, commands_enabled=context.process_commands_enabled)
    left_out += snapshot.overflows
    return snapshot.packed
