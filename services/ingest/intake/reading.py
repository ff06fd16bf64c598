"""Reads the frames of one stream: what of them is to be stored, and what is refused."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from flick.clock import Clock
from flick.v1 import ingest_pb2, servers_pb2, telemetry_pb2
from services.ingest.intake.layouts import StreamLayouts
from services.ingest.intake.overflows import Overflows
from services.ingest.intake.rejections import Rejections
from services.ingest.intake.samples import Context, Owner, Row, to_rows
from services.ingest.store import GapRow

DEFAULT_RETENTION_DAYS = 30  # as the contract says of ServerSettings
MAX_SAMPLES = 1000  # as the contract says: reading them holds up all other streams, for some 15 ms
_MAX_BIGINT = 2**63 - 1


@dataclass(slots=True, kw_only=True)
class Entry:
    """What a frame holds."""

    rows: Sequence[Row] = ()
    gaps: Sequence[GapRow] = ()
    rejections: Rejections = field(default_factory=Rejections)
    overflows: Overflows = field(default_factory=Overflows)


class Reading:
    """Reads frames of one server's stream.

    Args:
        server_id, organization_id: whose frames they are.
        layouts: what the stream declares.
        settings: the server's settings; may be replaced while the stream lives.
        clock: tells which samples are of the future, or too old.
    """

    def __init__(
        self,
        *,
        server_id: uuid.UUID,
        organization_id: uuid.UUID,
        layouts: StreamLayouts,
        settings: servers_pb2.ServerSettings,
        clock: Clock,
    ) -> None:
        self.server_id = server_id
        self.organization_id = organization_id
        self._layouts = layouts
        self._clock = clock
        self.settings = settings

    @property
    def settings(self) -> servers_pb2.ServerSettings:
        """The server's settings."""
        return self._settings

    @settings.setter
    def settings(self, settings: servers_pb2.ServerSettings) -> None:
        self._settings = settings
        self._context = Context(
            owner=Owner(self.server_id, self.organization_id),
            retention_days=settings.retention_days or DEFAULT_RETENTION_DAYS,
            processes_enabled=settings.processes_enabled,
            process_commands_enabled=settings.process_commands_enabled,
            layout=self._layouts.get,
        )

    def declare(self, layouts: Iterable[telemetry_pb2.Layout]) -> None:
        """Take a batch's declarations, whatever becomes of its samples: later batches may use them.

        Raises ProtocolError.
        """
        self._layouts.declare(layouts)

    async def read(self, frame: ingest_pb2.MetricBatch | ingest_pb2.Gap | ingest_pb2.LogBatch) -> Entry:
        """What is to be stored of a frame. Raises UNAVAILABLE when a layout can't be stored now."""
        if isinstance(frame, ingest_pb2.MetricBatch):
            return await self.read_samples(frame.samples)
        if isinstance(frame, ingest_pb2.Gap):
            return self._read_gap(frame)
        entry = Entry()
        entry.rejections.add(
            ingest_pb2.REJECTION_REASON_UNSUPPORTED, "Logs are not stored by this version.", count=len(frame.records)
        )
        return entry

    async def read_samples(self, samples: Sequence[telemetry_pb2.Sample]) -> Entry:
        """The rows of a batch's samples. Raises as `read` does."""
        entry = Entry()
        if len(samples) > MAX_SAMPLES:
            entry.rejections.add(
                ingest_pb2.REJECTION_REASON_MALFORMED,
                f"samples has {len(samples)}, {MAX_SAMPLES} at most. Split the batch.",
                count=len(samples),
            )
            return entry
        if unknown := {sample.layout_id for sample in samples if self._layouts.get(sample.layout_id) is None}:
            await self._layouts.store(unknown)
        entry.rows = to_rows(
            samples,
            context=self._context,
            now_ns=self._clock.time_unix_nano(),
            rejections=entry.rejections,
            overflows=entry.overflows,
        )
        return entry

    def _read_gap(self, gap: ingest_pb2.Gap) -> Entry:
        entry = Entry()
        start_time, end_time = _moment(gap.start_time), _moment(gap.end_time)
        if start_time is None or end_time is None or start_time > end_time:
            text = "start_time is to be a moment not after end_time."
            entry.rejections.add(ingest_pb2.REJECTION_REASON_MALFORMED, text, count=0)  # no sample is
            return entry
        now = self._clock.time_unix_nano()
        entry.gaps = [
            GapRow(
                server_id=self.server_id,
                organization_id=self.organization_id,
                start_time=start_time,
                end_time=end_time,
                reason=gap.reason if 0 <= gap.reason < 2**15 else ingest_pb2.GAP_REASON_UNSPECIFIED,
                dropped_samples=min(gap.dropped_samples, _MAX_BIGINT),
                received_at=datetime.fromtimestamp(now / 1e9, tz=UTC),
            )
        ]
        return entry


def _moment(stamp: Timestamp) -> datetime | None:
    """The moment to the microsecond, or None when it lies outside of the years 1970 to 9999."""
    if not 0 <= stamp.seconds < 253_402_300_800 or not 0 <= stamp.nanos < 10**9:
        return None
    return datetime.fromtimestamp(0, tz=UTC) + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)
