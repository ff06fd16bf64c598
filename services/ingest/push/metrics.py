"""What ingest tells of pushes."""

from prometheus_client import CollectorRegistry, Counter


class PushMetrics:
    """What became of pushed values."""

    def __init__(self, *, registry: CollectorRegistry) -> None:
        self.values = Counter(
            "flick_ingest_pushed_values",
            "Values that were pushed, by what became of them.",
            ["outcome"],
            registry=registry,
        )
