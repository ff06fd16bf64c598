"""Takes the frames of one stream on their way to the writer, and answers what became of them."""

import asyncio
import logging

from google.protobuf.duration_pb2 import Duration

from flick.errors import FlickError
from flick.v1 import ingest_pb2
from services.ingest.intake.admission import AdmissionFullError
from services.ingest.intake.lanes import Lanes, Place, ProtocolError
from services.ingest.intake.overflows import Overflows
from services.ingest.intake.reading import MAX_SAMPLES, Entry, Reading
from services.ingest.intake.rejections import Rejections
from services.ingest.intake.wire import read_request
from services.ingest.ledger.streams import Stream
from services.ingest.streams.outbox import Outbox, Response
from services.ingest.streams.parts import Parts
from services.ingest.writing.frame import Frame

# What a frame takes in memory until it is committed: parsed and as rows three times its bytes, and so much for each
# sample. Measured from 1 to 2,000 series and 1 to 60 samples a frame; larger ones take less.
HELD_PER_BYTE = 3
ROW_BYTES = 1536
_RETRY_S = 1.0  # after a frame could not even be read for want of room or of the database

Stored = ingest_pb2.MetricBatch | ingest_pb2.Gap | ingest_pb2.LogBatch

logger = logging.getLogger(__name__)


class Intake:
    """The frames of one stream; their `Owner` for the writer.

    Args:
        stream: whose they are.
        lanes, reading, outbox: of the stream.
        parts: what all streams share.
    """

    def __init__(self, *, stream: Stream, lanes: Lanes, reading: Reading, outbox: Outbox, parts: Parts) -> None:
        self._stream = stream
        self._server_id = str(stream.server_id)
        self._lanes = lanes
        self._reading = reading
        self._outbox = outbox
        self._parts = parts
        self._refused = False
        self._settled: asyncio.Future[None] | None = None  # while somebody waits for it

    async def take(self, raw: bytes) -> None:
        """Take a frame as it came on the wire. Raises ProtocolError when it breaks the rules of the stream."""
        try:
            request = read_request(raw)
        except ProtocolError:
            self._parts.metrics.samples.frames_ignored.labels("malformed").inc()
            raise
        match request.WhichOneof("frame"):
            case "metric_batch":
                await self._take_stored(request.metric_batch, len(raw), len(request.metric_batch.samples))
            case "gap":
                await self._take_stored(request.gap, len(raw), 0)
            case "log_batch":
                await self._take_stored(request.log_batch, len(raw), len(request.log_batch.records))
            case "live_batch":
                self._reading.declare(request.live_batch.layouts)
                await self._take_live(request.live_batch)
            case "hello":
                raise ProtocolError("hello: it comes once, as the first frame.")
            case "pong":
                self._parts.ledger.report(self._stream, request.pong)
                if request.pong.HasField("host") and not self._refused:
                    self._parts.hosts.tell(self._stream, request.pong.host)
            case kind:
                self._parts.metrics.samples.frames_ignored.labels(kind or "unknown").inc()

    def refuse(self) -> None:
        """Let nothing more be stored, not even what waits for the writer."""
        self._refused = True

    async def settled(self) -> None:
        """Wait until every frame that was taken is committed or returned."""
        while not self._lanes.settled:
            self._settled = asyncio.get_running_loop().create_future()
            await self._settled

    def wants(self, place: Place) -> bool:
        """See `Owner`."""
        return not self._refused and self._lanes.is_current(place)

    def committed(self, place: Place, rejections: Rejections, overflows: Overflows) -> None:
        """See `Owner`."""
        self._lanes.commit(place)
        if rejections.counts or overflows.counts:
            self._tell_remarks(place, rejections, overflows)
        else:
            self._outbox.put_ack(lane=place.lane, seq=place.seq)
        self._moved()

    def returned(self, place: Place, *, delay_s: float) -> None:
        """See `Owner`."""
        if self._lanes.rewind(place):
            delay = Duration()
            delay.FromNanoseconds(int(delay_s * 1e9))
            self._outbox.put(Response(retry_after=ingest_pb2.RetryAfter(lane=place.lane, seq=place.seq, delay=delay)))
        self._moved()

    def _tell_remarks(self, place: Place, rejections: Rejections, overflows: Overflows) -> None:
        for reason, count in rejections.counts.items():
            name = _short(ingest_pb2.RejectionReason.Name(reason), "REJECTION_REASON_")
            self._parts.metrics.samples.rejected.labels(name).inc(count)
        for kind, count in overflows.counts.items():
            name = _short(ingest_pb2.OverflowKind.Name(kind), "OVERFLOW_KIND_")
            self._parts.metrics.samples.overflow.labels(name).inc(count)
        self._outbox.put_ack(
            lane=place.lane,
            seq=place.seq,
            rejected=rejections.to_messages(seq=place.seq),
            overflows=overflows.to_messages(seq=place.seq),
        )

    def _moved(self) -> None:
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)

    async def _take_stored(self, frame: Stored, size_bytes: int, samples: int) -> None:
        metrics = self._parts.metrics
        metrics.samples.received_in(frame.lane).inc(samples)
        try:
            place = self._accept(frame, size_bytes)
        except ProtocolError:
            metrics.samples.discarded.labels("protocol").inc(samples)
            raise
        if place is None:
            metrics.samples.discarded.labels("rewound").inc(samples)
            return
        room_bytes = HELD_PER_BYTE * size_bytes + min(samples, MAX_SAMPLES) * ROW_BYTES
        try:
            if frame.lane == ingest_pb2.LANE_BACKFILL:
                self._parts.admission.acquire_spare(room_bytes)
            else:
                await self._parts.admission.acquire(room_bytes)
        except AdmissionFullError:
            self._give_back(place, samples, reason="no_room")
            return
        except BaseException:  # the stream ends, whatever it is
            metrics.samples.discarded.labels("stream_ended").inc(samples)
            raise
        try:
            entry = await self._reading.read(frame)
        except FlickError as error:
            logger.info("a layout can't be stored now", extra={"server_id": self._server_id, "why": error.private})
            self._parts.admission.release(room_bytes)
            self._give_back(place, samples, reason="database")
        except BaseException:  # the same; its room must not stay taken
            self._parts.admission.release(room_bytes)
            metrics.samples.discarded.labels("stream_ended").inc(samples)
            raise
        else:
            if isinstance(frame, ingest_pb2.Gap) and not entry.gaps:
                metrics.samples.frames_ignored.labels("gap").inc()
            self._pass_on(place, entry, room_bytes)

    def _accept(self, frame: Stored, size_bytes: int) -> Place | None:
        """The frame's place, if it is to be taken. What it declares may be used by frames of the other lane anyway."""
        if isinstance(frame, ingest_pb2.MetricBatch):
            try:
                self._reading.declare(frame.layouts)
            except ProtocolError as error:
                raise ProtocolError(str(error), lane=frame.lane, seq=frame.seq) from error
        return self._lanes.accept(lane=frame.lane, seq=frame.seq, size_bytes=size_bytes)

    def _pass_on(self, place: Place, entry: Entry, room_bytes: int) -> None:
        if place.lane == ingest_pb2.LANE_LIVE and self._parts.watched.is_watched(self._server_id):
            self._parts.announcer.publish(self._server_id, [row.sample for row in entry.rows])
        self._parts.writer.put(
            Frame(
                owner=self,
                place=place,
                server_id=self._reading.server_id,
                organization_id=self._reading.organization_id,
                room_bytes=room_bytes,
                rows=entry.rows,
                gaps=entry.gaps,
                rejections=entry.rejections,
                overflows=entry.overflows,
            )
        )

    def _give_back(self, place: Place, samples: int, *, reason: str) -> None:
        self._parts.metrics.samples.returned.labels(reason).inc(samples)
        self.returned(place, delay_s=self._parts.rng.uniform(_RETRY_S / 2, _RETRY_S))

    async def _take_live(self, batch: ingest_pb2.LiveBatch) -> None:
        self._parts.metrics.live.received.inc(len(batch.samples))
        dropped = self._parts.metrics.live.dropped
        if self._refused or not self._parts.watched.is_watched(self._server_id):
            dropped.labels("not_watched").inc(len(batch.samples))
            return
        try:
            entry = await self._reading.read_samples(batch.samples)
        except FlickError:
            dropped.labels("database").inc(len(batch.samples))
            return
        dropped.labels("rejected").inc(len(batch.samples) - len(entry.rows))
        self._parts.announcer.publish(self._server_id, [row.sample for row in entry.rows])


def _short(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower()
