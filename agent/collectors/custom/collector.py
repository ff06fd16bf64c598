"""Custom metrics as a collector among the others."""

from agent.collectors.collector import Measured, Moment
from agent.collectors.custom.folder import CustomFolder


class CustomCollector:
    """Tells what the folder of custom metrics tells. Files that fail are told by name, as `custom/NAME`.

    Args:
        folder: shared by all sets of collectors.
    """

    name = "custom"

    def __init__(self, *, folder: CustomFolder) -> None:
        self._folder = folder

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`; raises when the folder can't be used at all."""
        found = self._folder.at(moment.monotonic_s)
        return Measured(series=found.series, values=found.values, failing=found.failing)

    def close(self) -> None:
        """See `Collector`."""
