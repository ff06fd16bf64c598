"""What processors switch between: tasks and interrupts, and how many threads want to run or wait for I/O."""

import math

from agent.collectors.collector import Measured, Moment
from agent.collectors.cpu.kernel_stat import KernelStatFile
from agent.collectors.rate import Rate
from flick.v1 import catalog_pb2 as catalog


class ActivityCollector:
    """Counts since the moment before, and threads of this moment."""

    name = "activity"

    def __init__(self, *, stat: KernelStatFile) -> None:
        self._stat = stat
        self._switches = Rate()
        self._interrupts = Rate()

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        reading, at_s = self._stat.at(moment), moment.monotonic_s
        found: dict[int, float | None] = {
            catalog.METRIC_THREADS_RUNNABLE: reading.threads_runnable,
            catalog.METRIC_THREADS_BLOCKED: reading.threads_blocked,
        }
        if reading.context_switches is not None:
            found[catalog.METRIC_CONTEXT_SWITCHES] = self._switches.update(reading.context_switches, at_s)
        if reading.interrupts is not None:
            found[catalog.METRIC_INTERRUPTS] = self._interrupts.update(reading.interrupts, at_s)
        return Measured(core={metric: math.nan if value is None else value for metric, value in found.items()})

    def close(self) -> None:
        """See `Collector`."""
        self._stat.close()
