"""Where custom metrics come from, and how often."""

from dataclasses import dataclass
from pathlib import Path

FOLDER_NAME = "custom"  # beside the identity file
INTERVAL_S = 60.0
TIMEOUT_S = 10.0
STALE_S = 90_000.0  # a day and an hour: what is written daily may be late
LEAST_TIMEOUT_S = 0.1
LEAST_INTERVAL_S, MOST_INTERVAL_S = 5.0, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomSettings:
    """What is told by configuration.

    Args:
        folder: holds the executables and text files.
        required: whether a folder that is not there is a failure; else there are no custom metrics.
        interval_s: how often each executable is run, 5 s to an hour.
        timeout_s: how long it may run; shorter than the interval.
        stale_s: a text file that was not written for longer is told as failing.
    """

    folder: Path
    required: bool = False
    interval_s: float = INTERVAL_S
    timeout_s: float = TIMEOUT_S
    stale_s: float = STALE_S
