"""Spools of both kinds for tests, and what they are fed."""

import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from agent.spool.disk.opening import open_spool
from agent.spool.epochs import Mark
from agent.spool.frame import BACKFILL, Entry, Frame, Lane, Loss
from agent.spool.lanes.laned import LanedSpool
from agent.spool.lanes.memory import MemorySpool
from agent.spool.limits import SpoolLimits

S = 1_000_000_000
LIMITS = SpoolLimits(max_bytes=2000, live_samples=3, frame_samples=4, frame_bytes=500, losses=5)
SERIES = ((500, ("0",)), (500, ("1",)))
MARK = Mark("boot", 0, corrected=True)

Make: TypeAlias = Callable[[SpoolLimits], LanedSpool]


def in_memory(limits: SpoolLimits = LIMITS) -> MemorySpool:
    return MemorySpool(spool_id=uuid.uuid4(), limits=limits)


def on_disk(path: Path, limits: SpoolLimits = LIMITS) -> LanedSpool:
    return open_spool(path, limits=limits)


def entry(second: float, *, size: int = 100, layout_id: int = 0) -> Entry:
    return Entry(time_ns=round(second * S), layout_id=layout_id, payload=b"x" * size)


def seconds(frame: Frame | None) -> Sequence[float]:
    assert frame is not None
    return [held.time_ns / S for held in frame.entries]


def span(loss: Loss | None) -> tuple[float, float, int]:
    """Start, end and number, to the millisecond."""
    assert loss is not None
    return round(loss.start_ns / S, 3), round(loss.end_ns / S, 3), loss.dropped


def drain(spool: LanedSpool, *lanes: Lane) -> list[Frame]:
    """Everything that is held, acked at once."""
    spool.demote()
    frames = []
    for lane in lanes or (BACKFILL,):
        seq = spool.position(lane)
        while (frame := spool.frame(lane, seq)) is not None:
            frames.append(frame)
            spool.ack(lane, seq)
            seq += 1
    return frames


def adds_up(spool: LanedSpool) -> bool:
    status = spool.status()
    gone = status.acked_samples + status.dropped_samples + status.refused_samples + status.corrupt_samples
    return status.taken_samples == gone + status.held_samples and status.held_samples == spool.held()


def with_limits(**changes: int) -> SpoolLimits:
    return replace(LIMITS, **changes)


def copied(path: Path, to: Path) -> Path:
    """The files as they are now, which is what a killed process leaves behind."""
    for side in ("", "-wal"):
        source, target = path.with_name(path.name + side), to.with_name(to.name + side)
        target.unlink(missing_ok=True)
        if source.exists():
            shutil.copyfile(source, target)
    return to
