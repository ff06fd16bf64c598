"""What ingest wants of this agent: the server's settings, and whether somebody watches. The uplink writes it, the
sampler goes by it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from flick.v1 import ingest_pb2, servers_pb2

_MIN_INTERVAL_S, _MAX_INTERVAL_S = 1, 300  # flick.v1.ServerSettings.metric_interval


@dataclass(frozen=True)
class Wanted:
    """The defaults are the contract's, valid until ingest says otherwise.

    `live_interval_s` is None while nobody watches.
    """

    interval_s: int = 5
    processes: bool = True
    commands: bool = True
    live_interval_s: float | None = None


class Orders:
    """Holds what is wanted now and tells when it changes.

    Args:
        known: the settings of an earlier run, which are valid until ingest says otherwise.
        keep: called with settings that are to be known to the next run.
    """

    def __init__(
        self,
        *,
        known: servers_pb2.ServerSettings | None = None,
        keep: Callable[[servers_pb2.ServerSettings], None] = lambda settings: None,
    ) -> None:
        self.wanted = Wanted() if known is None else _with(Wanted(), known)
        self.changed = asyncio.Event()
        self._keep = keep

    def settings(self, settings: servers_pb2.ServerSettings) -> None:
        """Take a server's settings. An interval out of its range is taken as the nearest in it."""
        wanted = _with(self.wanted, settings)
        if wanted != self.wanted:
            self._keep(settings)
            self._set(wanted)

    def live_mode(self, mode: ingest_pb2.LiveMode) -> None:
        """Take whether somebody watches. An interval that is not given or below 1 s is taken as 1 s."""
        interval_s = max(mode.interval.seconds + mode.interval.nanos / 1e9, 1.0)
        self._set(replace(self.wanted, live_interval_s=interval_s if mode.enabled else None))

    def nobody_watches(self) -> None:
        """The stream is gone, and with it every viewer."""
        self._set(replace(self.wanted, live_interval_s=None))

    def clock_moved(self) -> None:
        """The timeline was corrected: the next moment is another."""
        self.changed.set()

    def _set(self, wanted: Wanted) -> None:
        if wanted != self.wanted:
            self.wanted = wanted
            self.changed.set()


def _with(wanted: Wanted, settings: servers_pb2.ServerSettings) -> Wanted:
    interval_s = settings.metric_interval.seconds or Wanted.interval_s
    return replace(
        wanted,
        interval_s=min(max(interval_s, _MIN_INTERVAL_S), _MAX_INTERVAL_S),
        processes=settings.processes_enabled,
        commands=settings.process_commands_enabled,
    )
