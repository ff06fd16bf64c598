"""What ingest tells of itself. Every way by which a sample can leave has a counter:

received = stored + duplicate + rejected + returned + discarded, once the writer is idle.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from flick.v1 import ingest_pb2


class IngestMetrics:
    """Ingest's own metrics."""

    def __init__(self, *, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"flick_ingest_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, mode: str) -> Gauge:
            return Gauge(f"flick_ingest_{name}", text, registry=registry, multiprocess_mode=mode)  # type: ignore[arg-type]

        self.received = counter("samples_received", "Samples and log records that came in to be stored.", "lane")
        lanes = ((ingest_pb2.LANE_LIVE, "live"), (ingest_pb2.LANE_BACKFILL, "backfill"))
        self._received = {lane: self.received.labels(name) for lane, name in lanes}
        self.stored = counter("samples_stored", "Samples committed.")
        self.duplicate = counter("samples_duplicate", "Samples that were stored already, with the same content.")
        self.rejected = counter("samples_rejected", "Samples refused for good.", "reason")
        self.returned = counter("samples_returned", "Samples that the agent was asked to send again.", "reason")
        self.discarded = counter("samples_discarded", "Samples let go without an answer.", "reason")
        self.overflow = counter(
            "overflow", "Values and processes left out of stored samples, by the limit that they exceed.", "kind"
        )
        self.gaps = counter("gaps_stored", "Gaps committed.", "reason")
        self.frames_ignored = counter("frames_ignored", "Frames that ingest has no use for.", "kind")

        self.streams = gauge("streams", "Streams that are open.", "livesum")
        self.streams_ended = counter("streams_ended", "Streams ended, by reason.", "reason")
        self.clock_offset = Histogram(
            "flick_ingest_clock_offset_seconds",
            "How far agents' clocks are from ingest's at Hello, either way.",
            registry=registry,
            buckets=(0.1, 0.5, 1, 2, 5, 10, 60, 3600),
        )

        self.commit_lag = Histogram(
            "flick_ingest_commit_lag_seconds",
            "Time from measuring a sample to its commit; live lane, of up to eight frames in each commit.",
            registry=registry,
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
        )
        self.ledger_failures = counter("ledger_failures", "Writes of the delivery ledger that failed; repeated later.")

        self.admitted_bytes = gauge("admitted_bytes", "Bytes held from receipt to commit.", "livesum")
        self.flush_seconds = Histogram(
            "flick_ingest_flush_seconds", "Time of one commit of many frames.", registry=registry
        )
        self.flush_samples = Histogram(
            "flick_ingest_flush_samples",
            "Samples in one commit.",
            registry=registry,
            buckets=(1, 10, 100, 1_000, 10_000, 100_000),
        )
        self.flush_failures = counter("flush_failures", "Commits that failed, by reason.", "reason")
        self.trouble = Gauge(
            "flick_ingest_trouble",
            "1 while commits fail for this reason.",
            ["reason"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.durable = gauge("durable", "1 while PostgreSQL's settings make commits durable, else 0.", "livemin")

        self.leads = gauge("leads", "1 for the process that does the housekeeping for all.", "livesum")
        self.sealed = counter("sealed_samples", "Samples moved from rows into blocks.")
        self.sealed_known = counter(
            "sealed_known", "Rows whose moment a block held already: duplicates and conflicts.", "outcome"
        )
        self.sealing_seconds = Histogram(
            "flick_ingest_sealing_seconds",
            "Time of sealing one server's hour.",
            registry=registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
        )
        self.sealing_failures = counter("sealing_failures", "Hours of servers that could not be sealed in a round.")
        self.sealing_oldest = gauge(
            "sealing_oldest_seconds", "Age of the oldest hour that is over and has rows still; 0: none has.", "livemax"
        )

        self.live_received = counter("live_received", "Samples that came in for viewers only.")
        self.published = counter("live_published", "Samples published for viewers.")
        self.live_dropped = counter("live_dropped", "Samples that viewers did not get, by reason.", "reason")

    def received_in(self, lane: ingest_pb2.Lane.ValueType) -> Counter:
        """The counter of what came in by a lane."""
        return self._received.get(lane) or self.received.labels("other")
