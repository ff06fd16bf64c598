"""Starts the parts in order of need, keeps them running, and ends them in the reverse order."""

import asyncio
import json
import random
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy.local.errors import PartError
from deploy.local.machine.process import end_group, spawn
from deploy.local.supervision.part import Part, Report, Step
from deploy.local.supervision.part_log import PartLog
from deploy.local.supervision.running import RunningPart, describe_exit
from flick.clock import Clock


class Supervisor:
    """Holds the running parts. Leaving it stops them all, the last started first.

    Args:
        logs: folder of the log files, one for each part.
        report: told of everything that happens to a part.
        clock: measures and waits.
        randomness: source of the backoff's jitter.
    """

    def __init__(
        self, *, logs: Path, report: Callable[[Report], None], clock: Clock, randomness: random.Random
    ) -> None:
        self._logs = logs
        self._report = report
        self._clock = clock
        self._randomness = randomness
        self._running: dict[str, RunningPart] = {}
        self._open_logs = ExitStack()

    async def __aenter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.stop()
        finally:
            self._open_logs.close()

    async def start(self, part: Part) -> None:
        """Start a part and wait until it is ready.

        Raises PartError when it cannot be brought up.
        """
        running = RunningPart(
            part=part,
            log=self._log(part.name),
            report=self._report,
            clock=self._clock,
            randomness=self._randomness,
        )
        self._running[part.name] = running
        await running.start()

    async def renew(self, name: str) -> None:
        """Let a part drain and start it anew."""
        await self._running[name].renew()

    async def run(self, step: Step) -> str:
        """Run a step to its end and return its standard output, which may hold secrets; the rest is logged.

        Raises PartError when it fails or takes too long.
        """
        log = self._log(step.name)
        process = await spawn(*step.command, environment=step.environment, directory=Path("/"), fold_stderr=False)
        try:
            async with asyncio.timeout(step.within_s):
                output, errors = await process.communicate()
        except TimeoutError as error:
            raise PartError(f"{step.name} did not end within {step.within_s:.0f} s") from error
        finally:
            await end_group(process)
        log.write(errors)
        if process.returncode != 0:
            lines = "".join(f"\n  | {line}" for line in log.last_lines())
            how = describe_exit(process.returncode or 0)
            raise PartError(f"{step.name} failed with {how}; its log is {log.path}{lines}")
        return output.decode()

    async def run_for_answer(self, step: Step) -> dict[str, Any]:
        """Run a step whose last line of output is a JSON object, and return that.

        Raises PartError when it fails, takes too long or answers otherwise.
        """
        lines = (await self.run(step)).strip().splitlines()
        try:
            answer = json.loads(lines[-1])
        except (IndexError, ValueError) as error:
            raise PartError(f"{step.name} did not answer with a JSON object") from error
        if not isinstance(answer, dict):
            raise PartError(f"{step.name} did not answer with a JSON object")
        return answer

    def pids(self) -> dict[str, int | None]:
        """Return the process id of each part; None while it is down."""
        return {name: running.pid for name, running in self._running.items()}

    async def stop(self) -> None:
        """Drain and end every part, the last started first; parts that take too long are killed."""
        for running in reversed(self._running.values()):
            await running.stop()
        self._running.clear()

    async def kill(self) -> None:
        """End every part at once."""
        await asyncio.gather(*(running.kill() for running in self._running.values()))

    def _log(self, name: str) -> PartLog:
        return self._open_logs.enter_context(PartLog(path=self._logs / f"{name}.log"))
