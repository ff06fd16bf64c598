"""A collector that may hang, asked on a worker, so that neither the others nor the stream hang with it."""

from agent.collectors.collector import Collector, Measured, Moment
from agent.worker import Worker


class AsideCollector:
    """Asks another collector. Sets of collectors share the worker: what hangs is not asked by each of them again."""

    def __init__(self, *, collector: Collector, worker: Worker) -> None:
        self.name = collector.name
        self._collector = collector
        self._worker = worker

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`; raises TimeoutError when there is no answer in time."""
        return self._worker.run(lambda: self._collector.collect(moment))

    def close(self) -> None:
        """See `Collector`."""
        self._collector.close()
