"""What ingest tells of itself. Every way by which a sample can leave has a counter:

received = stored + duplicate + rejected + returned + discarded, once the writer is idle.
"""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from flick.v1 import ingest_pb2

_LANES = ((ingest_pb2.LANE_LIVE, "live"), (ingest_pb2.LANE_BACKFILL, "backfill"))


class _Namespace:
    """Makes metrics whose names begin with ingest's."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"flick_ingest_{name}", text, labels, registry=self._registry)

    def gauge(self, name: str, text: str, *labels: str, mode: str) -> Gauge:
        """`mode`: how several processes' values become one, in prometheus_client's word."""
        return Gauge(f"flick_ingest_{name}", text, labels, registry=self._registry, multiprocess_mode=mode)  # type: ignore[arg-type]

    def histogram(self, name: str, text: str, *, buckets: Sequence[float] = Histogram.DEFAULT_BUCKETS) -> Histogram:
        return Histogram(f"flick_ingest_{name}", text, registry=self._registry, buckets=buckets)


class SampleMetrics:
    """What became of the frames that agents sent to be stored."""

    def __init__(self, make: _Namespace) -> None:
        self._received = make.counter("samples_received", "Samples and log records that came in to be stored.", "lane")
        self._received_in = {lane: self._received.labels(name) for lane, name in _LANES}
        self.stored = make.counter("samples_stored", "Samples committed.")
        self.duplicate = make.counter("samples_duplicate", "Samples that were stored already, with the same content.")
        self.rejected = make.counter("samples_rejected", "Samples refused for good.", "reason")
        self.returned = make.counter("samples_returned", "Samples that the agent was asked to send again.", "reason")
        self.discarded = make.counter("samples_discarded", "Samples let go without an answer.", "reason")
        self.overflow = make.counter(
            "overflow", "Values and processes left out of stored samples, by the limit that they exceed.", "kind"
        )
        self.gaps = make.counter("gaps_stored", "Gaps committed.", "reason")
        self.frames_ignored = make.counter("frames_ignored", "Frames that ingest has no use for.", "kind")

    def received_in(self, lane: ingest_pb2.Lane.ValueType) -> Counter:
        """The counter of what came in by a lane."""
        return self._received_in.get(lane) or self._received.labels("other")


class StreamMetrics:
    """The agents' streams, and the ledger that knows of them."""

    def __init__(self, make: _Namespace) -> None:
        self.open = make.gauge("streams", "Streams that are open.", mode="livesum")
        self.ended = make.counter("streams_ended", "Streams ended, by reason.", "reason")
        self.clock_offset = make.histogram(
            "clock_offset_seconds",
            "How far agents' clocks are from ingest's at Hello, either way.",
            buckets=(0.1, 0.5, 1, 2, 5, 10, 60, 3600),
        )
        self.ledger_failures = make.counter(
            "ledger_failures", "Writes of the delivery ledger that failed; repeated later."
        )


class CommitMetrics:
    """What waits for its commit, and commits."""

    def __init__(self, make: _Namespace) -> None:
        self.admitted_bytes = make.gauge("admitted_bytes", "Bytes held from receipt to commit.", mode="livesum")
        self.seconds = make.histogram("flush_seconds", "Time of one commit of many frames.")
        self.samples = make.histogram(
            "flush_samples", "Samples in one commit.", buckets=(1, 10, 100, 1_000, 10_000, 100_000)
        )
        self.lag = make.histogram(
            "commit_lag_seconds",
            "Time from measuring a sample to its commit; live lane, of up to eight frames in each commit.",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
        )
        self.failures = make.counter("flush_failures", "Commits that failed, by reason.", "reason")
        self.trouble = make.gauge("trouble", "1 while commits fail for this reason.", "reason", mode="livemax")
        self.durable = make.gauge(
            "durable", "1 while PostgreSQL's settings make commits durable, else 0.", mode="livemin"
        )


class LiveMetrics:
    """What viewers are to get."""

    def __init__(self, make: _Namespace) -> None:
        self.received = make.counter("live_received", "Samples that came in for viewers only.")
        self.published = make.counter("live_published", "Samples published for viewers.")
        self.dropped = make.counter("live_dropped", "Samples that viewers did not get, by reason.", "reason")


class SealingMetrics:
    """Hours that are over, on their way into blocks."""

    def __init__(self, make: _Namespace) -> None:
        self.leads = make.gauge("leads", "1 for the process that does the housekeeping for all.", mode="livesum")
        self.samples = make.counter("sealed_samples", "Samples that were put into blocks.")
        self.known = make.counter(
            "sealed_known", "Rows whose moment a block held already: duplicates and conflicts.", "outcome"
        )
        self.seconds = make.histogram(
            "sealing_seconds",
            "Time of sealing one server's hour.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
        )
        self.failures = make.counter("sealing_failures", "Hours of servers that could not be sealed in a round.")
        self.oldest = make.gauge(
            "sealing_oldest_seconds",
            "Age of the oldest hour that is over and has rows still; 0: none has.",
            mode="livemax",
        )


class HostMetrics:
    """What agents tell of their hosts."""

    def __init__(self, make: _Namespace) -> None:
        self.reports = make.counter("host_reports", "Hosts told to auth, by what became of it.", "outcome")


class RollupMetrics:
    """Sealed hours, on their way into minutes, hours and days."""

    def __init__(self, make: _Namespace) -> None:
        self.hours = make.counter("rollup_hours", "Hours of servers that were rolled up to minutes.")
        self.expired = make.counter(
            "rollup_hours_expired", "Hours with late samples whose rollups stay, as what they were made of is gone."
        )
        self.taken_in = make.counter("rollup_hours_taken_in", "Hours of servers that were rolled up to hours and days.")
        self.seconds = make.histogram(
            "rollup_seconds",
            "Time of rolling up what is due of one server.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
        )
        self.failures = make.counter("rollup_failures", "Attempts to roll up hours of a server that failed.")
        self.waiting = make.gauge(
            "rollup_waiting_hours", "Hours of servers that are sealed and should be rolled up by now.", mode="livemax"
        )
        self.oldest = make.gauge(
            "rollup_oldest_seconds", "Age of the oldest of them; 0: there is none.", mode="livemax"
        )


class RetentionMetrics:
    """What was older than it is to be kept."""

    def __init__(self, make: _Namespace) -> None:
        self.blocks = make.counter("retention_blocks", "Blocks that were taken away.", "table")
        self.chunks = make.counter("retention_chunks", "Chunks that were dropped with all their blocks.", "table")
        self.seconds = make.histogram(
            "retention_seconds",
            "Time of one statement that takes blocks away, or looks for them.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
        )
        self.failures = make.counter("retention_failures", "What kept old blocks where they are, by reason.", "reason")
        self.behind = make.gauge(
            "retention_behind_seconds",
            "Since when a round has not taken away everything that is over; 0: the last one did.",
            mode="livemax",
        )


class IngestMetrics:
    """Ingest's own metrics, by subject."""

    def __init__(self, *, registry: CollectorRegistry) -> None:
        make = _Namespace(registry)
        self.samples = SampleMetrics(make)
        self.streams = StreamMetrics(make)
        self.commits = CommitMetrics(make)
        self.live = LiveMetrics(make)
        self.sealing = SealingMetrics(make)
        self.rollups = RollupMetrics(make)
        self.retention = RetentionMetrics(make)
        self.hosts = HostMetrics(make)
