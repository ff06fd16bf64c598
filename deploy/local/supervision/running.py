"""One part's life: started, watched, restarted when it dies, stopped when asked."""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

from deploy.local.errors import LocalError, PartError
from deploy.local.machine.process import end_group, kill_group, spawn
from deploy.local.supervision.part import Happening, Part, Report
from deploy.local.supervision.part_log import PartLog
from flick.backoff import Backoff
from flick.clock import Clock

_READY_POLL_S = 0.1
_READY_CHECK_S = 5.0  # one check may hang; the next may not
_LAST_OUTPUT_S = 1.0  # how long to wait for the rest of a dead part's output
_CHUNK_BYTES = 64 * 1024
MAX_EARLY_DEATHS = 3  # a part that never became ready is given up after this many deaths: it will not mend itself


class RunningPart:
    """A part under supervision.

    Args:
        part: what to run.
        log: where its output goes.
        report: told of everything that happens to it.
        clock: measures how long it ran, and waits.
        randomness: source of the backoff's jitter.
    """

    def __init__(
        self, *, part: Part, log: PartLog, report: Callable[[Report], None], clock: Clock, randomness: random.Random
    ) -> None:
        self.part = part
        self._log = log
        self._report = report
        self._clock = clock
        self._backoff = Backoff(rng=randomness, base_s=0.5, factor=2.0, cap_s=30.0, least=0.5)
        self._process: asyncio.subprocess.Process | None = None
        self._became_ready = asyncio.Event()
        self._stopping = asyncio.Event()
        self._renewing = False
        self._life: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the running program; None between a death and the next start."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Start it and wait until it is ready.

        Raises PartError when it died too often or is not ready in time; it is then ended.
        Raises LocalError when it could not be prepared.
        """
        self._life = asyncio.create_task(self._live())
        ready = asyncio.create_task(self._became_ready.wait())
        try:
            await asyncio.wait({ready, self._life}, timeout=self.part.ready_within_s, return_when="FIRST_COMPLETED")
            if self._life.done():
                await self._life
            if not self._became_ready.is_set():
                raise PartError(self._failure(f"was not ready within {self.part.ready_within_s:.0f} s"))
        except BaseException:  # also when cancelled: nothing of a failed start may live on
            await self.kill()
            raise
        finally:
            ready.cancel()

    async def renew(self) -> None:
        """Let it drain and start it anew, so that it reads its files again; that it ends is then no death."""
        process = self._process
        if process is None or process.returncode is not None:
            return  # it is being started anyway
        self._renewing = True
        process.send_signal(self.part.stop_signal)
        try:
            await asyncio.wait_for(process.wait(), timeout=self.part.stop_within_s)
        except TimeoutError:
            kill_group(process, signal.SIGKILL)

    async def stop(self) -> None:
        """Ask it to end, and kill it when it takes too long."""
        self._stopping.set()
        if self._life is None or self._life.done():
            return
        self._tell(Happening.STOPPING)
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(self.part.stop_signal)
        done, _ = await asyncio.wait({self._life}, timeout=self.part.stop_within_s)
        if done:
            self._tell(Happening.STOPPED)
        else:
            await self.kill()
            self._tell(Happening.KILLED, detail=f"did not end within {self.part.stop_within_s:.0f} s")

    async def kill(self) -> None:
        """End it at once, with everything that it started."""
        self._stopping.set()
        if self._process is not None and self._process.returncode is None:
            kill_group(self._process, signal.SIGKILL)
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait({self._life})

    async def _live(self) -> None:
        early_deaths = 0
        while not self._stopping.is_set():
            began_s = self._clock.monotonic_s()
            how = await self._run_and_describe()
            if self._stopping.is_set():
                return
            if self._renewing:
                self._renewing = False
                continue
            early_deaths += not self._became_ready.is_set()
            if early_deaths >= MAX_EARLY_DEATHS:
                raise PartError(self._failure(f"ended {early_deaths} times before it was ready, last with {how}"))
            self._backoff.healthy(self._clock.monotonic_s() - began_s)
            wait_s = self._backoff.next_s()
            self._tell(Happening.DIED, detail=how, restart_in_s=wait_s, last_lines=self._log.last_lines())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), timeout=wait_s)

    async def _run_and_describe(self) -> str:
        """Run the program to its end and return how it ended, or why it could not run.

        Raises LocalError or OSError when it could not run and never did before: waiting would not mend that.
        """
        try:
            return describe_exit(await self._run_once())
        except (LocalError, OSError) as error:
            if not self._became_ready.is_set():
                raise
            return str(error)

    async def _run_once(self) -> int:
        """Run the program to its end and return its exit code."""
        self._tell(Happening.STARTING)
        self._log.forget()
        await self.part.prepare()
        output_to, output = await self._open_output()
        try:
            self._process = process = await spawn(
                *self.part.command,
                account=self.part.account,
                environment=self.part.environment,
                directory=Path("/"),
                death_signal=self.part.death_signal,
                output=output_to,
            )
        finally:
            os.close(output_to)
        if self._stopping.is_set():  # asked to stop while it was being started
            process.send_signal(self.part.stop_signal)
        watching = asyncio.create_task(self._watch_ready())
        ended = asyncio.create_task(process.wait())
        try:
            await asyncio.wait({ended, watching}, return_when="FIRST_COMPLETED")
            if watching.done():
                watching.result()  # raises when the part can never become ready
            return await ended
        finally:
            watching.cancel()
            kill_group(process, signal.SIGKILL)  # what it started ends with it
            await end_group(process)
            await asyncio.wait({output}, timeout=_LAST_OUTPUT_S)
            output.cancel()

    async def _open_output(self) -> tuple[int, asyncio.Task[None]]:
        """Return the writing end of a pipe and the task that takes what comes out of it into the log.

        A pipe of asyncio's own would make `wait` last until everything that the part started has closed it, too.
        """
        reading, writing = os.pipe()
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", buffering=0)
        )

        async def take() -> None:
            try:
                while chunk := await reader.read(_CHUNK_BYTES):
                    self._log.write(chunk)
            finally:
                transport.close()

        return writing, asyncio.create_task(take())

    async def _watch_ready(self) -> None:
        while not await self._is_ready():  # noqa: ASYNC110 - other programs set no event
            await asyncio.sleep(_READY_POLL_S)
        self._tell(Happening.READY)
        self._became_ready.set()

    async def _is_ready(self) -> bool:
        try:
            async with asyncio.timeout(_READY_CHECK_S):
                return await self.part.ready()
        except TimeoutError:
            return False

    def _failure(self, what: str) -> str:
        lines = "".join(f"\n  | {line}" for line in self._log.last_lines())
        return f"{self.part.name} {what}; its log is {self._log.path}{lines}"

    def _tell(
        self,
        happening: Happening,
        *,
        detail: str = "",
        restart_in_s: float | None = None,
        last_lines: list[str] | None = None,
    ) -> None:
        self._report(
            Report(
                part=self.part.name,
                happening=happening,
                log=self._log.path,
                detail=detail,
                restart_in_s=restart_in_s,
                last_lines=last_lines or (),
            )
        )


def describe_exit(code: int) -> str:
    """Return how a program ended: `exit code 1`, or the signal's name."""
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
