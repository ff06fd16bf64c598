"""Several processes that share one address: the kernel spreads connections over them (SO_REUSEPORT)."""

import asyncio
import logging
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from flick.address import join, split
from flick.clock import Clock
from flick.errors import FlickError, Kind
from flick.lifecycle import stop_requested
from flick.telemetry import serve_metrics

STOP_WITHIN_S = 12.0  # a worker drains within 10 s
RESTART_AFTER_S = 1.0
RESTART_CAP_S = 30.0
HEALTHY_AFTER_S = 60.0  # a worker that lived so long is restarted without delay

_MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's own name

logger = logging.getLogger(__name__)


async def run_workers(
    *,
    listen: str,
    metrics_listen: str | None,
    count: int,
    environment: Mapping[str, str],
    clock: Clock,
) -> None:
    """Run `count` workers on one address until this process is asked to stop, and serve their metrics added up.

    Args:
        listen: `host:port`; with port 0 they share any that is free.
        metrics_listen: where /metrics is served, as `host:port`; None: nowhere.
        environment: what a single process would be told by its environment.

    Raises UNAVAILABLE when the address can't be had.
    """
    with _shared_port(listen) as address, _joined_metrics() as (directory, registry):
        told = {**environment, "FLICK_INGEST_LISTEN": address, _MULTIPROCESS_DIR: str(directory)}
        keepers = [
            _Worker(number, environment=told, directory=directory, clock=clock) for number in range(1, count + 1)
        ]
        metrics = serve_metrics(listen=metrics_listen, registry=registry) if metrics_listen else nullcontext()
        async with metrics, stop_requested() as stop:
            await asyncio.gather(*(keeper.keep(stop) for keeper in keepers))


class _Worker:
    """One worker, started again when it dies. It ends with this process, however that ends."""

    def __init__(self, number: int, *, environment: Mapping[str, str], directory: Path, clock: Clock) -> None:
        self._number = number
        self._environment = environment
        self._directory = directory
        self._clock = clock

    async def keep(self, stop: asyncio.Event) -> None:
        """Keep it running until `stop`, then have it drain."""
        delay_s = RESTART_AFTER_S
        while not stop.is_set():
            began_s = self._clock.monotonic_s()
            code = await self._run(stop)
            if stop.is_set():
                return
            if self._clock.monotonic_s() - began_s >= HEALTHY_AFTER_S:
                delay_s = RESTART_AFTER_S
            logger.error("a worker died", extra={"worker": self._number, "exit_code": code, "restart_in_s": delay_s})
            await _set_within(stop, delay_s)
            delay_s = min(2 * delay_s, RESTART_CAP_S)

    async def _run(self, stop: asyncio.Event) -> int:
        safe_path = ["-P"] if sys.flags.safe_path else []
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *safe_path, "-m", "services.ingest", "--parent", str(os.getpid())),
            env=dict(self._environment),
        )
        ended, asked = asyncio.create_task(process.wait()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                process.terminate()
                await asyncio.wait({ended}, timeout=STOP_WITHIN_S)
        finally:
            asked.cancel()
            if not ended.done():
                process.kill()
            code = await ended
            mark_process_dead(process.pid, path=str(self._directory))  # type: ignore[no-untyped-call]
        return code


@contextmanager
def _shared_port(listen: str) -> Iterator[str]:
    """Hold a port without listening on it, so that workers can share it. Yields the address, with the port it got.

    Raises UNAVAILABLE when the address can't be had.
    """
    host, port = split(listen)
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            holder.bind(address)
        except OSError as error:
            raise FlickError(
                Kind.UNAVAILABLE, f"{listen} can't be listened on; is it in use?", private=str(error)
            ) from error
        yield join(host, holder.getsockname()[1])


@contextmanager
def _joined_metrics() -> Iterator[tuple[Path, CollectorRegistry]]:
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
