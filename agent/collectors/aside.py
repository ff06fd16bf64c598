"""A collector that may hang, asked on a worker, so that neither the others nor the stream hang with it."""

import os
from collections.abc import Sequence
from pathlib import Path

from agent.collectors.collector import Collector, Measured, Moment
from agent.collectors.sys_file import names_in
from agent.worker import Worker


class AsideCollector:
    """Asks another collector. Sets of collectors share the worker: what hangs is not asked by each of them again.

    Args:
        collector: which one.
        worker: on which it is asked.
        only_with: folders of /sys; while none of them holds anything there is nothing to ask for. Empty: always ask.
    """

    def __init__(self, *, collector: Collector, worker: Worker, only_with: Sequence[Path] = ()) -> None:
        self.name = collector.name
        self._collector = collector
        self._worker = worker
        self._only_with = [os.fspath(folder) for folder in only_with]

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`; raises TimeoutError when there is no answer in time."""
        if self._only_with and not any(map(names_in, self._only_with)):
            return Measured()
        return self._worker.run(lambda: self._collector.collect(moment))

    def close(self) -> None:
        """See `Collector`."""
        self._collector.close()
