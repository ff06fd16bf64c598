"""Processes of one kind that share a balancer and are replaced one after the other."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.deployables import Program, program

GRACE_S = 10.0  # what a supervisor gives a process that shall end


class Instances:
    """Running processes. Who leaves gets no new connections.

    Args:
        command: the module and its arguments.
        environment: its settings.
        log: the beginning of the names of its logs, with their folder.
        rng: chooses among them, as a balancer does.
    """

    def __init__(
        self, *, command: Sequence[str], environment: Mapping[str, str], log: Path, rng: random.Random
    ) -> None:
        self._command = command
        self._environment = environment
        self._log = log
        self._rng = rng
        self._starts = 0
        self._taking: dict[str, tuple[Program, AsyncExitStack]] = {}

    @property
    def logs(self) -> str:
        """What all of them said."""
        return "".join(path.read_text() for path in self._log.parent.glob(f"{self._log.name}-*.log"))

    def any_address(self) -> str:
        """Where the next connection goes."""
        return self._rng.choice(list(self._taking))

    async def add(self) -> None:
        """Start another one."""
        self._starts += 1
        stack = AsyncExitStack()
        log = self._log.with_name(f"{self._log.name}-{self._starts}.log")
        one = await stack.enter_async_context(program(*self._command, environment=self._environment, log=log))
        self._taking[one.address] = (one, stack)

    async def roll(self) -> list[float]:
        """Replace each, one after the other; the seconds that each took to end."""
        took_s = []
        for address in list(self._taking):
            took_s.append(await self._end(address))
            await self.add()
        return took_s

    async def end(self) -> None:
        """End all."""
        for address in list(self._taking):
            await self._end(address)

    async def _end(self, address: str) -> float:
        one, stack = self._taking.pop(address)
        began_s = time.monotonic()
        one.process.terminate()
        code = await asyncio.wait_for(one.process.wait(), timeout=2 * GRACE_S)
        took_s = time.monotonic() - began_s
        await stack.aclose()
        assert code == 0, f"it ended with {code}"
        return took_s


@asynccontextmanager
async def two_instances(
    *command: str, environment: Mapping[str, str], log: Path, rng: random.Random
) -> AsyncIterator[Instances]:
    """Two of them, running while entered."""
    instances = Instances(command=command, environment=environment, log=log, rng=rng)
    try:
        for _ in range(2):
            await instances.add()
        yield instances
    finally:
        await instances.end()
