"""What query counts of itself, beside the calls it answers."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class QueryMetrics:
    """Query's own Prometheus metrics."""

    def __init__(self, *, registry: CollectorRegistry) -> None:
        self.redis_failures = Counter(
            "flick_query_redis_failures",
            "Times that Redis did not answer and PostgreSQL did instead, by what was wanted of it.",
            ["operation"],
            registry=registry,
        )
        self.latest_reads = Counter(
            "flick_query_latest_reads", "Newest samples read, by where they came from.", ["source"], registry=registry
        )
        self.range_seconds = Histogram(
            "flick_query_range_read_seconds",
            "Time that it took to read and combine the history of one call.",
            registry=registry,
        )
        self.range_points = Counter("flick_query_range_points", "Points of history answered.", registry=registry)
        self.range_refused = Counter(
            "flick_query_range_refused", "Range queries refused because too many wait.", registry=registry
        )
        self.exports = Gauge("flick_query_exports", "Exports that are open.", registry=registry)
        self.viewers = Gauge("flick_query_viewers", "Streams of viewers that are open.", registry=registry)
        self.feeds = Gauge(
            "flick_query_watched_servers", "Servers that at least one viewer watches.", registry=registry
        )
        self.updates = Counter(
            "flick_query_live_updates", "Live samples taken in, by where they came from.", ["source"], registry=registry
        )
        self.coalesced = Counter(
            "flick_query_live_coalesced", "Updates given up for newer ones because a viewer is slow.", registry=registry
        )
        self.malformed = Counter(
            "flick_query_redis_malformed", "Samples from Redis that could not be read.", ["from"], registry=registry
        )
        self.database_bytes = Gauge(
            "flick_query_database_bytes", "Bytes of the whole database on disk, read once a minute.", registry=registry
        )
        self.redis_bytes = Gauge(
            "flick_query_redis_used_bytes", "Bytes that Redis holds, read once a minute.", registry=registry
        )
        self.redis_keys = Gauge(
            "flick_query_redis_keys", "Keys that Redis holds, read once a minute.", registry=registry
        )
        self.agents = Gauge(
            "flick_query_agents_connected", "Agents with an open stream, read once a minute.", registry=registry
        )
        self.spooled = Gauge(
            "flick_query_agents_spooled_samples",
            "Samples that wait in the spools of connected agents, read once a minute.",
            registry=registry,
        )
