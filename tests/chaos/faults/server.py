"""A server program of one's own: it may be killed, frozen and started again at the same address."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.local.machine.account import Account
from deploy.local.machine.process import spawn

START_WITHIN_S = 60.0  # a recovery after kill -9 on a busy machine
STOP_WITHIN_S = 20.0
_POLL_S = 0.02


@dataclass(kw_only=True)
class ServerProcess:
    """One program, started as often as asked.

    Attributes:
        command, environment, account: how it is started.
        log: where its output goes, over all its lives.
        ready: whether it can be used.
        stop_signal: what it ends well by.
        starts: how often it was started.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    account: Account
    log: Path
    ready: Callable[[], Awaitable[bool]]
    stop_signal: signal.Signals
    starts: int = 0
    _process: asyncio.subprocess.Process | None = None

    @property
    def runs(self) -> bool:
        """Whether the program has not ended."""
        return self._process is not None and self._process.returncode is None

    async def launch(self, *arguments: str) -> None:
        """Start it with further arguments; it may die at once, and is not ready yet."""
        assert not self.runs, "it runs already"
        with self.log.open("ab") as sink:
            self._process = await spawn(
                *(*self.command, *arguments),
                environment=self.environment,
                account=self.account,
                directory=Path("/"),
                output=sink.fileno(),
            )
        self.starts += 1

    async def becomes_ready(self, *, within_s: float = START_WITHIN_S) -> float:
        """Wait until it can be used; the moment, by the monotonic clock. Raises AssertionError when it has ended."""
        async with asyncio.timeout(within_s):
            while not await self.ready():
                assert self.runs, f"it ended: {self.log.read_text(errors='replace')[-2000:]}"
                await asyncio.sleep(_POLL_S)
        return time.monotonic()

    async def ended(self, *, within_s: float = STOP_WITHIN_S) -> int:
        """Wait until it has ended by itself; its exit code."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), timeout=within_s)

    async def kill(self) -> None:
        """kill -9 of the main process; returns when it is gone."""
        if self._process is not None and self.runs:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """End it well, or by force when that takes too long. What is frozen is thawed."""
        if self._process is None or not self.runs:
            return
        self.thaw()
        self._process.send_signal(self.stop_signal)
        try:
            await self.ended()
        except TimeoutError:
            await self.kill()

    def pids(self) -> list[int]:
        """The main process and everything that it has started, the main one first."""
        if self._process is None or not self.runs:
            return []
        main = psutil.Process(self._process.pid)
        return [main.pid, *(child.pid for child in main.children(recursive=True))]

    def freeze(self) -> None:
        """SIGSTOP of all its processes, the main one first, so that it can start no more."""
        self._signal(signal.SIGSTOP, self.pids()[:1])
        self._signal(signal.SIGSTOP, self.pids())

    def thaw(self) -> None:
        """SIGCONT of all its processes."""
        self._signal(signal.SIGCONT, self.pids())

    def _signal(self, number: signal.Signals, pids: Sequence[int]) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
