"""`flick top`: a live view of one server or of all, in the terminal or as lines of JSON."""

import asyncio
import json as json_text
import signal
import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from flick.cli.failure import CliError, ExitCode
from flick.cli.invocation import Json, Url, invocation
from flick.cli.servers import find_server, list_servers
from flick.cli.session import Session
from flick.cli.top.feed import Connected, Event, Feed, Lost, Update
from flick.cli.top.keys import on_key
from flick.cli.top.reading import Reading
from flick.cli.top.view import draw

MAX_SERVERS = 100  # of one subscription, by the contract
REFRESH_S = 0.5
PROCESSES_EVERY_S = 5.0
# What the list of several servers shows; one server is shown with everything it has.
_LIST_METRICS = (
    "system.cpu.utilization",
    "system.cpu.load_average.1m",
    "system.memory.utilization",
    "system.network.total.io",
)

Server = Annotated[
    str, typer.Argument(help="Name or id. Without it the only server there is, or all.", metavar="SERVER")
]


def top(context: typer.Context, server: Server = "", url: Url = "", json: Json = False) -> None:
    """Watch servers live.

    Processor, memory, load, network, disks, processes. q or Ctrl-C ends it.

    With --json each update is one line on standard output, as the API's WatchMetricsResponse.
    """
    if not json and not sys.stdout.isatty():
        raise CliError("flick top needs a terminal; use --json for programs.", code=ExitCode.USAGE)
    session = invocation(context).session(url)
    servers = _chosen(session, server)
    asyncio.run(_run(session, servers, json=json))


def _chosen(session: Session, wanted: str) -> list[dict[str, Any]]:
    servers = list_servers(session)
    if wanted:
        return [find_server(servers, wanted)]
    if not servers:
        raise CliError(
            "There are no servers yet. Run `flick join-tokens create` and its answer on the new server.",
            code=ExitCode.NOT_FOUND_OR_DENIED,
        )
    return servers[:MAX_SERVERS]


async def _run(session: Session, servers: Sequence[dict[str, Any]], *, json: bool) -> None:
    quit_asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, quit_asked.set)
    names = _LIST_METRICS if len(servers) > 1 and not json else ()
    feed = Feed(session=session, server_ids=[one["serverId"] for one in servers], names=names)
    shown = _Lines() if json else _Screen(session=session, servers=servers)
    work = [asyncio.create_task(_follow(feed, shown)), asyncio.create_task(shown.run(quit_asked))]
    asked = asyncio.create_task(quit_asked.wait())
    try:
        done, _ = await asyncio.wait({*work, asked}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*work, asked):
            task.cancel()
        await asyncio.gather(*work, asked, return_exceptions=True)
    for task in done:
        task.result()


class _Lines:
    """Updates as lines of JSON; trouble in words on standard error."""

    async def run(self, quit_asked: asyncio.Event) -> None:
        """Nothing to do besides `take`."""
        await quit_asked.wait()

    def take(self, event: Event) -> None:
        """Print it."""
        match event:
            case Update(value):
                sys.stdout.write(json_text.dumps(value, ensure_ascii=False) + "\n")
                sys.stdout.flush()
            case Lost(why, retry_in_s):
                sys.stderr.write(f"flick: {why}; trying again in {retry_in_s:.1f} s\n")


class _Screen:
    """The terminal's whole screen."""

    def __init__(self, *, session: Session, servers: Sequence[dict[str, Any]]) -> None:
        self._session = session
        self._readings = {one["serverId"]: Reading(server=one) for one in servers}
        self._status = "connecting"

    async def run(self, quit_asked: asyncio.Event) -> None:
        """Draw until it is to end."""
        processes = asyncio.create_task(self._keep_processes()) if len(self._readings) == 1 else None
        console = Console(highlight=False)
        try:
            with (
                on_key(lambda key: quit_asked.set() if key in "qQ" else None),
                Live(console=console, screen=True, auto_refresh=False) as live,
            ):
                while not quit_asked.is_set():
                    readings = list(self._readings.values())
                    picture = draw(readings, status=self._status, now_s=time.time(), height=console.height)
                    live.update(picture, refresh=True)
                    await asyncio.sleep(REFRESH_S)
        finally:
            if processes is not None:
                processes.cancel()
                await asyncio.gather(processes, return_exceptions=True)

    def take(self, event: Event) -> None:
        """Remember it for the next picture."""
        match event:
            case Connected():
                self._status = "live"
            case Update(value):
                reading = self._readings.get(value["serverId"])
                if reading is not None:
                    reading.take(value)
            case Lost(why, retry_in_s):
                self._status = f"{why}; trying again in {retry_in_s:.0f} s"

    async def _keep_processes(self) -> None:
        (server_id, reading), *_ = self._readings.items()
        while True:
            try:
                answer = await asyncio.to_thread(self._session.get, f"/api/v1/servers/{server_id}/processes")
            except CliError:  # the feed tells what is wrong
                answer = {}
            reading.processes = answer.get("processes", [])
            await asyncio.sleep(PROCESSES_EVERY_S)


async def _follow(feed: Feed, shown: _Lines | _Screen) -> None:
    async for event in feed.events():
        shown.take(event)
