"""Several processes that share one address: the kernel spreads connections over them (SO_REUSEPORT)."""

import asyncio
import logging
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from flick.clock import Clock
from flick.errors import FlickError, Kind

STOP_WITHIN_S = 12.0  # a worker drains within 10 s
RESTART_AFTER_S = 1.0
RESTART_CAP_S = 30.0
HEALTHY_AFTER_S = 60.0  # a worker that lived so long is restarted without delay

MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's own name

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Workers:
    """How workers are started: `command` with `environment`, `count` of them, their metrics in `directory`."""

    command: Sequence[str]
    environment: Mapping[str, str]
    count: int
    directory: Path
    clock: Clock

    async def run_until(self, stop: asyncio.Event) -> None:
        """Keep them running; whoever dies is named and started again. Then have them drain."""
        keepers = [asyncio.create_task(self._keep(number, stop)) for number in range(1, self.count + 1)]
        await asyncio.gather(*keepers)

    async def _keep(self, number: int, stop: asyncio.Event) -> None:
        delay_s = RESTART_AFTER_S
        while not stop.is_set():
            began_s = self.clock.monotonic_s()
            code = await self._run_one(stop)
            if stop.is_set():
                return
            if self.clock.monotonic_s() - began_s >= HEALTHY_AFTER_S:
                delay_s = RESTART_AFTER_S
            logger.error("a worker died", extra={"worker": number, "exit_code": code, "restart_in_s": delay_s})
            await _set_within(stop, delay_s)
            delay_s = min(2 * delay_s, RESTART_CAP_S)

    async def _run_one(self, stop: asyncio.Event) -> int:
        process = await asyncio.create_subprocess_exec(*self.command, env=dict(self.environment))
        ended = asyncio.create_task(process.wait())
        asked = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                process.terminate()
                await asyncio.wait({ended}, timeout=STOP_WITHIN_S)
        finally:
            asked.cancel()
            if process.returncode is None:
                process.kill()
            code = await ended
            mark_process_dead(process.pid, path=str(self.directory))  # type: ignore[no-untyped-call]
        return code


@contextmanager
def shared_port(listen: str) -> Iterator[str]:
    """Hold a port without listening on it, so that workers can share it. Yields the address, with the port it got.

    Raises UNAVAILABLE when the address can't be had.
    """
    host, _, port = listen.rpartition(":")
    family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            holder.bind(address)
        except OSError as error:
            raise FlickError(
                Kind.UNAVAILABLE, f"{listen} can't be listened on; is it in use?", private=str(error)
            ) from error
        yield f"{host}:{holder.getsockname()[1]}"


@contextmanager
def joined_metrics() -> Iterator[tuple[Path, CollectorRegistry]]:
    """A folder in which workers leave their metrics, and a registry that adds them up."""
    directory = Path(tempfile.mkdtemp(prefix="flick-ingest-metrics-"))
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(directory))  # type: ignore[no-untyped-call]
    try:
        yield directory, registry
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
