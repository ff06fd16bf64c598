"""`flick up`: everything on this machine, from an empty folder to a first login, until it is told to stop."""

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.data_dir import DataDir
from deploy.local.errors import LocalError
from deploy.local.launch import Launch
from deploy.local.machine.folders import default_cache_dir, default_data_dir, default_runtime_dir
from deploy.local.output import HumanOutput, JsonOutput, Output
from deploy.local.parts import Stage
from deploy.local.storage import StorageSettings
from deploy.local.supervision.supervisor import Supervisor
from flick.clock import SystemClock
from flick.config import ConfigError, load

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # SIGHUP: the terminal was closed


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What the operator chose.

    Args:
        data_dir: where everything is kept; absent: /var/lib/flick for root, ~/.local/share/flick for others.
        host: what the gateway and ingest listen on; others than loopback get HTTPS.
        port: the gateway's; 0: any free one; absent: last start's, at first 8080.
        json: JSON lines instead of words for people.
        workers: ingest's processes.
    """

    data_dir: Path | None = None
    host: str = "127.0.0.1"
    port: int | None = None
    json: bool = False
    workers: int = 1


def run(options: UpOptions, *, environ: Mapping[str, str]) -> int:
    """Run until told to stop and return the exit code: 0 after a clean end, 1 when the start failed."""
    kind = JsonOutput if options.json else HumanOutput
    output: Output = kind(stream=sys.stdout, errors=sys.stderr)
    try:
        settings = load(StorageSettings, environ=environ)
        asyncio.run(_run(options, settings, environ, output))
    except (ConfigError, LocalError, OSError) as error:
        output.failed(str(error))
        return 1
    return 0


async def _run(options: UpOptions, settings: StorageSettings, environ: Mapping[str, str], output: Output) -> None:
    clock = SystemClock()
    with DataDir(path=options.data_dir or default_data_dir(environ)) as data:
        supervisor = Supervisor(logs=data.logs, report=output.report, clock=clock, randomness=random.SystemRandom())
        launch = Launch(
            data=data,
            cache_dir=default_cache_dir(environ),
            runtime_dir=default_runtime_dir(environ),
            settings=settings,
            host=options.host,
            port=options.port,
            workers=options.workers,
            environ=environ,
            supervisor=supervisor,
            output=output,
            clock=clock,
        )
        async with _stop_signals(on_another=supervisor.kill) as stop, supervisor:
            stage = await _started(launch, stop)
            if stage is not None:
                keeping = asyncio.create_task(launch.keep_certificates(stage))
                await stop.wait()
                keeping.cancel()
            output.stopping()


async def _started(launch: Launch, stop: asyncio.Event) -> Stage | None:
    """Run the start-up and return what it made; None when a signal in its midst ended it."""
    starting = asyncio.create_task(launch.start())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when="FIRST_COMPLETED")
    stopping.cancel()
    if starting.done():
        return starting.result()
    starting.cancel()
    await asyncio.wait({starting})
    return None


@asynccontextmanager
async def _stop_signals(*, on_another: Callable[[], Awaitable[None]]) -> AsyncIterator[asyncio.Event]:
    """Yield an event that the first stop signal sets; each further one calls `on_another`."""
    event = asyncio.Event()
    impatient: set[asyncio.Future[None]] = set()
    loop = asyncio.get_running_loop()

    def received() -> None:
        if event.is_set():
            impatient.add(asyncio.ensure_future(on_another()))
        event.set()

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, received)
    try:
        yield event
    finally:
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)
