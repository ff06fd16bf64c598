"""Snapshots of processes: what query will read must be readable, and within the limits. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from flick.v1 import ingest_pb2, telemetry_pb2
from services.ingest.intake.overflows import Overflow

MAX_PROCESSES = 200  # ten times what FLick's own agent lists
MAX_TEXT_BYTES = 64 * 1024  # of all strings of one snapshot

_Kind = ingest_pb2.OverflowKind


@dataclass(slots=True)
class Snapshot:
    """What of a snapshot is stored, packed, and what is left out of it."""

    packed: bytes = b""
    overflows: list[Overflow] = field(default_factory=list)


def check_processes(packed: bytes, *, commands_enabled: bool) -> Snapshot:
    """The snapshot as it is stored: without processes that are wrong or beyond a limit.

    Args:
        packed: a serialized `ProcessSnapshot`, as it came.
        commands_enabled: whether command lines may be stored.
    """
    try:
        parsed = telemetry_pb2.ProcessSnapshot.FromString(packed)
    except DecodeError:
        return Snapshot(overflows=[Overflow(_Kind.OVERFLOW_KIND_MALFORMED, 1, "it is no ProcessSnapshot.")])
    processes = parsed.processes
    # Most snapshots are within every limit, and are kept as they came. Where the whole is small, so is all text, and
    # fields of a later version do no harm.
    if (
        len(processes) <= MAX_PROCESSES
        and len(packed) <= MAX_TEXT_BYTES
        and _are_shares([process.cpu_utilization for process in processes])
        and (commands_enabled or not any(process.command for process in processes))
    ):
        return Snapshot(packed=packed)
    return _cut(parsed, commands_enabled=commands_enabled)


def _are_shares(values: Sequence[float]) -> bool:
    return min(values, default=0) >= 0 and sum(values) < math.inf  # a sum with NaN is NaN, and less than nothing


def _cut(parsed: telemetry_pb2.ProcessSnapshot, *, commands_enabled: bool) -> Snapshot:
    parsed.DiscardUnknownFields()
    snapshot, kept = Snapshot(), []
    sound = [process for process in parsed.processes if _are_shares([process.cpu_utilization])]
    _note(snapshot, _Kind.OVERFLOW_KIND_MALFORMED, len(parsed.processes) - len(sound), "cpu_utilization is 0 or more.")
    text_bytes = 0
    for process in sound[:MAX_PROCESSES]:
        if not commands_enabled:
            process.command = ""
        text_bytes += sum(len(text.encode()) for text in (process.name, process.command, process.user, process.state))
        if text_bytes > MAX_TEXT_BYTES:
            break
        kept.append(process)
    within = min(len(sound), MAX_PROCESSES)
    _note(snapshot, _Kind.OVERFLOW_KIND_TEXT, within - len(kept), f"{MAX_TEXT_BYTES} bytes of text at most.")
    _note(snapshot, _Kind.OVERFLOW_KIND_PROCESSES, len(sound) - within, f"{MAX_PROCESSES} processes at most.")
    if kept:
        snapshot.packed = telemetry_pb2.ProcessSnapshot(processes=kept).SerializeToString()
    return snapshot


def _note(snapshot: Snapshot, kind: _Kind.ValueType, count: int, detail: str) -> None:
    if count:
        snapshot.overflows.append(Overflow(kind, count, detail))
