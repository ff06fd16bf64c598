"""The agent's spool: on disk, and in memory as long as the disk can't be used."""

import logging
import sqlite3
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from agent.collectors.collector import SeriesKey
from agent.spool.disk.opening import UnavailableError, open_spool, reason_of
from agent.spool.epochs import Mark
from agent.spool.frame import Entry, Frame, Lane, Reason
from agent.spool.lanes.laned import LanedSpool
from agent.spool.lanes.memory import MemorySpool
from agent.spool.limits import IN_MEMORY, SpoolLimits
from agent.spool.status import Counts, together
from agent.worker import Worker
from flick.clock import Clock
from flick.v1 import ingest_pb2, servers_pb2, telemetry_pb2

WITHIN_S = 2.0  # the disk's calls take microseconds, a sync seldom more than tens of milliseconds
_TRY_AGAIN_S = 10.0

logger = logging.getLogger(__name__)


class FallbackSpool:
    """See `Spool`.

    The disk is asked in a thread, so that one that does not answer holds up the agent for two seconds, once. While the
    disk can't be used, what it holds rests there, and what is taken goes into memory, into a spool with an id of its
    own; when the disk is back, everything that memory holds is put there and the spool on disk goes on.

    Acks are noted with the next change, which spares a commit for each sample; what was acked since the last change is
    sent once more after the process was killed.

    Args:
        path: the file.
        limits: of the spool on disk.
        in_memory: of the spool in memory.
        within_s: how long the disk may take for an answer.
    """

    def __init__(
        self,
        *,
        path: Path,
        limits: SpoolLimits,
        clock: Clock,
        in_memory: SpoolLimits = IN_MEMORY,
        within_s: float = WITHIN_S,
    ) -> None:
        self._path = path
        self._limits = limits
        self._in_memory = in_memory
        self._clock = clock
        self._worker = Worker(within_s=within_s)
        self._disk: LanedSpool | None = None
        self._opened: LanedSpool | None = None  # by the worker, not in use yet
        self._left: LanedSpool | None = None  # after an error, to be closed by the worker
        self._acked: dict[Lane, int] = {}  # up to where, not noted yet
        self._known = Counts()  # of the disk, before what failed
        self._at_rest = ingest_pb2.SpoolStatus()  # how the disk stood when it could last be asked
        self._memory = MemorySpool(spool_id=uuid.uuid4(), limits=in_memory)
        self._had_disk = False
        self._begun: Mark | None = None
        self._settings: servers_pb2.ServerSettings | None = None
        self._settled: tuple[Mark, int, int] | None = None
        self._try_at_s = 0.0
        self._reason = ""

    def __enter__(self) -> "FallbackSpool":
        self._return()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def spool_id(self) -> str:
        """See `Spool`."""
        return self._current.spool_id

    @property
    def mark(self) -> Mark | None:
        """See `Spool`."""
        return self._current.mark

    @property
    def last_ns(self) -> int:
        """See `Spool`."""
        return self._current.last_ns

    @property
    def settings(self) -> servers_pb2.ServerSettings | None:
        """See `Spool`."""
        return self._settings or self._current.settings

    def keep_settings(self, settings: servers_pb2.ServerSettings) -> None:
        """See `Spool`."""
        self._settings = settings
        self._on_disk(lambda disk: disk.keep_settings(settings))

    def begin(self, mark: Mark) -> None:
        """See `Spool`."""
        self._begun = mark
        if not self._on_disk(lambda disk: disk.begin(mark)):
            self._memory.begin(mark)

    def settle(self, mark: Mark, *, moved_ns: int, now_ns: int) -> None:
        """See `Spool`."""
        self._settled = (mark, moved_ns + (self._settled[1] if self._settled else 0), now_ns)
        if not self._on_disk(lambda disk: disk.settle(mark, moved_ns=moved_ns, now_ns=now_ns)):
            self._memory.settle(mark, moved_ns=moved_ns, now_ns=now_ns)

    def put(self, entry: Entry) -> None:
        """See `Spool`."""
        layout = self._current.layout(entry.layout_id) if entry.layout_id else None
        if self._disk is None and self._clock.monotonic_s() >= self._try_at_s:
            self._return()
            entry = replace(entry, layout_id=self._current.number_of(layout))
        if not self._on_disk(lambda disk: disk.put(entry)):
            self._memory.put(replace(entry, layout_id=self._memory.number_of(layout)))

    def lose(self, reason: Reason, *, start_ns: int | None = None) -> None:
        """See `Spool`."""
        if not self._on_disk(lambda disk: disk.lose(reason, start_ns=start_ns)):
            self._memory.lose(reason, start_ns=start_ns)

    def frame(self, lane: Lane, seq: int) -> Frame | None:
        """See `Spool`."""
        known, frame = self._current.at_hand(lane, seq)
        if known:
            return frame
        if self._disk is None:
            return self._memory.frame(lane, seq)
        made: list[Frame | None] = []
        self._on_disk(lambda disk: made.append(disk.frame(lane, seq)))
        return made[0] if made and self._disk is not None else None

    def position(self, lane: Lane) -> int:
        """See `Spool`."""
        self._note_acks()
        return self._current.position(lane)

    def ack(self, lane: Lane, seq: int) -> None:
        """See `Spool`. What can't be noted is sent again."""
        if self._disk is None:
            self._memory.ack(lane, seq)
        else:
            self._disk.require_handed_out(lane, seq)
            self._acked[lane] = max(seq, self._acked.get(lane, 0))

    def refuse(self, lane: Lane, seq: int) -> None:
        """See `Spool`."""
        if self._disk is None:
            self._memory.refuse(lane, seq)
        else:
            self._on_disk(lambda disk: disk.refuse(lane, seq))

    def split(self, lane: Lane, seq: int) -> None:
        """See `Spool`."""
        if self._disk is None:
            self._memory.split(lane, seq)
        else:
            self._on_disk(lambda disk: disk.split(lane, seq))

    def demote(self) -> None:
        """See `Spool`."""
        self._current.demote()

    def held(self) -> int:
        """See `Spool`. What rests on a disk that can't be used is not counted."""
        self._note_acks()
        return self._current.held()

    def status(self) -> ingest_pb2.SpoolStatus:
        """See `Spool`."""
        if self._on_disk(lambda disk: self._note(disk.status())):
            return self._at_rest
        return together(self._at_rest, self._memory.status(), reason=self._reason)

    def layout_id(self, series: tuple[SeriesKey, ...]) -> int:
        """See `Spool`."""
        found: list[int] = []
        if self._disk is not None and self._disk.knows(series):
            return self._disk.layout_id(series)
        if self._on_disk(lambda disk: found.append(disk.layout_id(series))):
            return found[0]
        return self._memory.layout_id(series)

    def layout(self, layout_id: int) -> telemetry_pb2.Layout:
        """See `Spool`."""
        return self._current.layout(layout_id)

    def close(self) -> None:
        """See `Spool`. What is in memory is put down if that can be done now."""
        if self._disk is None:
            self._return()
        self._note_acks()
        self._on_disk(lambda disk: disk.close())

    @property
    def _current(self) -> LanedSpool:
        return self._disk or self._memory

    def _note_acks(self) -> None:
        if self._acked:
            self._on_disk(lambda disk: None)

    def _note(self, status: ingest_pb2.SpoolStatus) -> None:
        self._at_rest = status

    def _on_disk(self, call: Callable[[LanedSpool], object]) -> bool:
        """Whether the disk could be used for it."""
        disk = self._disk
        if disk is None:
            return False
        acked, self._acked = self._acked, {}
        try:
            self._worker.run(lambda: _with_acks(disk, acked, call))
            self._known = replace(disk.counts)
        except (sqlite3.Error, TimeoutError) as error:
            self._give_up(disk, error)
            return False
        return True

    def _give_up(self, disk: LanedSpool, error: Exception) -> None:
        self._at_rest = self._known.status()
        self._disk, self._left = None, disk
        self._memory = MemorySpool(spool_id=uuid.uuid4(), limits=self._in_memory)
        mark = self._settled[0] if self._settled else self._begun
        if mark is not None:
            self._memory.begin(mark)
        # What is damaged is put aside at once; what is full or does not answer needs time.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        damaged = code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        self._say(reason_of(error, self._path), again_s=0.0 if damaged else _TRY_AGAIN_S)

    def _say(self, reason: str, *, again_s: float = _TRY_AGAIN_S) -> None:
        self._try_at_s = self._clock.monotonic_s() + again_s
        if reason != self._reason:
            self._reason = reason
            logger.warning(
                "samples are kept in memory only, %d MiB at most: %s", self._in_memory.max_bytes >> 20, reason
            )

    def _return(self) -> None:
        """Go back to the disk if that can be done now."""
        try:
            self._worker.run(self._open)
            disk = self._opened
            assert disk is not None
            self._worker.run(lambda: self._take_over(disk))
        except UnavailableError as error:
            self._say(str(error))
        except (sqlite3.Error, TimeoutError) as error:
            if self._opened is not None and not isinstance(error, TimeoutError):
                self._left, self._opened = self._opened, None
            self._say(reason_of(error, self._path))
        else:
            self._disk, self._opened, self._known = disk, None, replace(disk.counts)
            self._memory = MemorySpool(spool_id=uuid.uuid4(), limits=self._in_memory)
            self._at_rest = ingest_pb2.SpoolStatus()
            if self._reason:
                logger.info("samples are kept on disk again", extra={"held_samples": disk.held()})
            self._reason, self._had_disk = "", True

    def _open(self) -> None:
        """In the worker. What is opened too late is there at the next try."""
        if self._left is not None:
            self._left.abandon()
            self._left = None
        if self._opened is None:
            self._opened = open_spool(self._path, limits=self._limits)

    def _take_over(self, disk: LanedSpool) -> None:
        """In the worker: bring the spool on disk up to what has come meanwhile, all or nothing."""
        with disk.as_one():
            if self._begun is not None and (disk.mark is None or disk.mark.boot_id != self._begun.boot_id):
                disk.begin(self._begun)
            if self._settled is not None and disk.mark != self._settled[0]:
                mark, moved_ns, now_ns = self._settled
                disk.settle(mark, moved_ns=moved_ns, now_ns=now_ns)
            if self._settings is not None:
                disk.keep_settings(self._settings)
            if not self._had_disk and self._begun is not None and disk.last_ns:
                disk.lose(ingest_pb2.GAP_REASON_AGENT_STOPPED)
            disk.adopt(self._memory)


def _with_acks(disk: LanedSpool, acked: Mapping[Lane, int], call: Callable[[LanedSpool], object]) -> None:
    if not acked:
        call(disk)
        return
    with disk.as_one():
        for lane, seq in acked.items():
            disk.ack(lane, seq)
        call(disk)
