"""The delivery ledger of one process: whose stream is whose, how agents' spools stand, and what happened."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import asyncpg

from flick.clock import Clock, utc
from flick.errors import FlickError
from flick.ids import new_id
from flick.lifecycle import background
from flick.v1 import delivery_pb2, ingest_pb2
from services.ingest.ledger.events import Event, EventKind, Events
from services.ingest.ledger.store import PRUNED_EVERY, LedgerStore, News
from services.ingest.ledger.streams import Claim, Former, Holder, Stream, clock_offset_s, pack_spool, storable

WRITE_EVERY_S = 5.0  # streams tell of their spools once a minute: a twelfth of them in each statement
LINGER_S = 1.0  # the end of a stream is written soon, together with others that end
MAX_NEWS = 20_000  # streams whose news wait while the database is away; then the oldest go, which is harmless
CLOCK_OFFSET_TOLERATED_S = 10.0  # samples further ahead than that are refused
# A claim is seen only once it is committed: as long as a statement may take, and a little.
_LATE_CLAIMS_S = 15.0

_FAILURES = (FlickError, asyncpg.PostgresError, OSError, TimeoutError)

logger = logging.getLogger(__name__)


class Ledger:
    """What this process tells of its streams. Only `claim` and `taken_over` wait for the database.

    Spool states, ends of streams and events are written together every few seconds; what a crash loses of them comes
    again or is harmless. What became of samples is counted by the writer, in the transaction of their commit.

    Args:
        store: where it is written.
        clock: tells when things happen.
        on_failure: told of every write that failed.
    """

    def __init__(self, *, store: LedgerStore, clock: Clock, on_failure: Callable[[], None]) -> None:
        self.instance_id = new_id()
        self._store = store
        self._clock = clock
        self._on_failure = on_failure
        self._news: dict[uuid.UUID, News] = {}  # by stream id
        self._claiming: set[uuid.UUID] = set()  # streams of which the database can't be told anything yet
        self._events = Events()
        self._degraded: dict[uuid.UUID, str] = {}  # by stream id: the reason, while there is one
        self._offsets: dict[uuid.UUID, float] = {}  # by stream id: the one noted last, while it is too large
        self._ended = asyncio.Event()
        self._asked_at_s = clock.monotonic_s()
        self._failing = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Ledger"]:
        """Write and prune while entered; what waits on leaving is still written, if the database takes it."""
        async with background(self._prune_on(), name="ledger-prune"):
            try:
                async with background(self._write_on(), name="ledger-write"):
                    yield self
            finally:
                await self.write()

    async def claim(self, claims: Sequence[Claim]) -> Mapping[uuid.UUID, Former]:
        """Make streams of different servers the newest, and note who pushes another agent aside or whose clock is off.

        When a stream that said Hello later is claimed already, that one stays the newest.

        Returns the streams that were the newest before, by server; one of another process learns it by `taken_over`.
        Raises UNAVAILABLE or DEADLINE_EXCEEDED when the database does not answer; they may be claimed again.
        """
        claiming = {one.stream.stream_id for one in claims}
        self._claiming |= claiming
        try:
            if self._ended.is_set():  # perhaps a stream before one of these, which would else seem to be open
                await self.write()
            formers = await self._store.claim(claims, instance_id=self.instance_id, clock=self._clock)
        finally:
            self._claiming -= claiming
        for one in claims:
            self._note_degraded(one.stream, one.spool.degraded_reason if one.spool else "")
            self._note_offset(one.stream, one.stream.clock_offset_s)
        return formers

    async def taken_over(self) -> Sequence[Holder]:
        """The streams that other processes have lately opened. To be asked about once a second.

        Each comes for some seconds. A stream of this process whose server is among them has lost it. Raises as `claim`
        does; then the next call looks further back.
        """
        now_s = self._clock.monotonic_s()
        within = timedelta(seconds=now_s - self._asked_at_s + _LATE_CLAIMS_S)
        holders = await self._store.claims_of_others(instance_id=self.instance_id, within=within)
        self._asked_at_s = now_s
        return holders

    def report(self, stream: Stream, pong: ingest_pb2.Pong) -> None:
        """The agent told how its spool stands and what its clock shows."""
        offset_s = clock_offset_s(pong, now_ns=self._clock.time_unix_nano())
        if offset_s is not None:
            self._tell(News(stream=stream, clock_offset_s=offset_s))
            self._note_offset(stream, offset_s)
        if pong.HasField("spool"):
            self._tell(News(stream=stream, spool=pack_spool(pong.spool), spool_at=utc(self._clock)))
            self._note_degraded(stream, pong.spool.degraded_reason)

    def release(self, stream: Stream, *, reason: str) -> None:
        """The stream has ended, for a reason in a word; `revoked` is an event too."""
        if reason == "revoked":
            self.note(
                stream,
                delivery_pb2.DELIVERY_EVENT_KIND_KEY_REVOKED,
                "The agent's key was revoked while it was connected. Enroll the server anew if it is to go on.",
            )
        self._tell(News(stream=stream, ended_at=utc(self._clock), end_reason=reason))
        self._degraded.pop(stream.stream_id, None)
        self._offsets.pop(stream.stream_id, None)
        self._ended.set()

    def note(self, stream: Stream, kind: EventKind, detail: str) -> None:
        """Something happened that a person should know of; `detail` says it in words, with the fix."""
        self._events.add(Event(stream=stream, time=utc(self._clock), kind=kind, detail=storable(detail)))

    async def write(self) -> None:
        """Write what waits. What can't be written now waits on, unless newer news replace it."""
        self._ended.clear()
        try:
            await self._write_news()
            await self._write_events()
        except _FAILURES as error:
            self._failed("the ledger can't be written now", error)
        else:
            self._failing = False

    async def _write_news(self) -> None:
        news = {stream_id: one for stream_id, one in self._news.items() if stream_id not in self._claiming}
        if news:
            await self._store.update(list(news.values()))
        for stream_id, written in news.items():
            if self._news.get(stream_id) is written:
                del self._news[stream_id]

    async def _write_events(self) -> None:
        events = self._events.take()
        try:
            if events:
                await self._store.add_events(events)
        except BaseException:
            self._events.put_back(events)
            raise

    def _tell(self, news: News) -> None:
        waiting = self._news.get(news.stream.stream_id)
        self._news[news.stream.stream_id] = news if waiting is None else waiting.followed_by(news)
        if len(self._news) > MAX_NEWS:
            del self._news[next(iter(self._news))]

    def _note_offset(self, stream: Stream, offset_s: float | None) -> None:
        """Note a clock that is off, and again when it is off by something else."""
        if offset_s is None:
            return
        if abs(offset_s) <= CLOCK_OFFSET_TOLERATED_S:
            self._offsets.pop(stream.stream_id, None)
        elif abs(offset_s - self._offsets.get(stream.stream_id, 0.0)) > CLOCK_OFFSET_TOLERATED_S:
            self._offsets[stream.stream_id] = offset_s
            ahead = "ahead of" if offset_s > 0 else "behind"
            self.note(
                stream,
                delivery_pb2.DELIVERY_EVENT_KIND_CLOCK_OFFSET,
                f"The agent's clock was {abs(offset_s):.1f} s {ahead} ingest's. Set the clock of the host.",
            )

    def _note_degraded(self, stream: Stream, reason: str) -> None:
        reason = storable(reason)
        if reason and reason != self._degraded.get(stream.stream_id):
            self.note(
                stream,
                delivery_pb2.DELIVERY_EVENT_KIND_SPOOL_DEGRADED,
                f"The agent keeps samples in memory only, which a restart loses: {reason}",
            )
        if reason:
            self._degraded[stream.stream_id] = reason
        else:
            self._degraded.pop(stream.stream_id, None)

    async def _write_on(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(WRITE_EVERY_S):
                    await self._ended.wait()
            await self._clock.sleep(LINGER_S)
            await self.write()

    async def _prune_on(self) -> None:
        while True:
            try:
                await self._store.prune()
            except _FAILURES as error:
                self._failed("the ledger can't be pruned now", error)
            await self._clock.sleep(PRUNED_EVERY.total_seconds())

    def _failed(self, what: str, error: Exception) -> None:
        self._on_failure()
        if not self._failing:
            logger.warning(what, extra={"why": getattr(error, "private", "") or str(error)})
        self._failing = True
