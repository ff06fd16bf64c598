"""What a part of FLick is to its supervisor, and what the supervisor reports of it."""

import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from deploy.local.machine.account import Account


async def _nothing() -> None:
    return


async def alive() -> bool:
    """Return true: the readiness of a part that is ready when it runs."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A program that runs as long as FLick does.

    Args:
        name: short name; also that of its log file.
        command: command line.
        environment: its whole environment.
        ready: whether it can be used now; asked again and again after a start.
        prepare: what is to be done before each start.
        account: whom it runs as; absent: the caller.
        stop_signal: asks it to drain and end.
        death_signal: what the kernel sends it when the launcher is killed.
        ready_within_s: how long it may take from the first start until it is ready, restarts included.
        stop_within_s: how long it may take to end before it is killed.
    """

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str] = field(repr=False)
    ready: Callable[[], Awaitable[bool]] = alive
    prepare: Callable[[], Awaitable[None]] = _nothing
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    ready_within_s: float = 30.0
    stop_within_s: float = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A program that runs to its end once, such as a migration.

    Args:
        name: short name; also that of its log file.
        command: command line.
        environment: its whole environment.
        within_s: how long it may take.
    """

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str] = field(repr=False)
    within_s: float = 60.0


class Happening(StrEnum):
    """What happened to a part."""

    STARTING = "starting"
    READY = "ready"
    DIED = "died"
    STOPPING = "stopping"
    STOPPED = "stopped"
    KILLED = "killed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One thing that happened to one part.

    Args:
        part: its name.
        happening: what.
        detail: how it ended, for DIED.
        restart_in_s: when it is started again, for DIED.
        last_lines: the end of its log, for DIED.
        log: its log file.
    """

    part: str
    happening: Happening
    log: Path
    detail: str = ""
    restart_in_s: float | None = None
    last_lines: Sequence[str] = ()
