"""The `flick-agent` command: join FLick, run, or show what is measured. The only place that reads the environment."""

from agent import lean_asyncio  # noqa: F401 - before anything else imports asyncio

# isort: split
import argparse
import asyncio
import json
import os
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from agent import identity
from agent.collection import Collection, Workers, every_collector
from agent.collectors.custom.folder import CustomFolder
from agent.config import AgentConfig
from agent.errors import AgentError
from agent.host import agent_version, this_host
from flick import config, lifecycle, log
from flick.clock import SystemClock
from flick.errors import FlickError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` name; return the exit status: 0 well, 1 the agent can't, 2 wrong usage."""
    asked = _parser().parse_args(arguments)
    # gRPC reads it when it is imported, which therefore comes later, in the commands. Its own words are no JSON and
    # tell of ordinary farewells (GOAWAY) as if they were news.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    try:
        settings = config.load(AgentConfig, environ=os.environ)
        path = asked.identity or settings.identity or identity.default_path()
        if asked.command == "enroll":
            return _enroll(asked.url, asked.token, path)
        if asked.command == "check":
            custom = CustomFolder(settings=settings.custom(path))
            return asyncio.run(_check(path, custom, once=asked.once, as_json=asked.json))
        log.configure(service="agent", level=settings.log_level)
        return asyncio.run(_run(path, settings))
    except (AgentError, FlickError, config.ConfigError) as error:
        print(f"flick-agent: {error}", file=sys.stderr)  # noqa: T201 - a command speaks to its terminal
        return 1
    except BrokenPipeError:  # who read the output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flick-agent", description="Measures this server and streams it to FLick.")
    parser.add_argument("--version", action="version", version=f"flick-agent {agent_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--identity", type=Path, metavar="FILE", help="the identity file (FLICK_AGENT_IDENTITY)")
    enroll = commands.add_parser("enroll", parents=[every], help="join FLick with a join token")
    enroll.add_argument("url", metavar="URL", help="FLick's address, https://host:port")
    enroll.add_argument("token", metavar="TOKEN", help="the join token, flj_...; `-` reads it from standard input")
    commands.add_parser("run", parents=[every], help="measure and stream until stopped")
    check = commands.add_parser("check", parents=[every], help="show what is measured and whether it can be streamed")
    check.add_argument("--once", action="store_true", help="measure once; otherwise again and again until Ctrl-C")
    check.add_argument("--json", action="store_true", help="one JSON object per measurement")
    return parser


def _enroll(url: str, token: str, path: Path) -> int:
    # Imported here: the running agent needs neither an HTTP client nor a JSON codec of messages, and memory is dear.
    from agent.enroll.enroll import enroll
    from agent.enroll.gateway import Gateway

    identity.require_writable(path)
    gateway = Gateway(url=url, clock=SystemClock())
    text = sys.stdin.readline() if token == "-" else token  # noqa: S105 - the sign for standard input
    found = enroll(gateway=gateway, token=text, host=this_host(), version=agent_version())
    identity.write(path, found)
    if gateway.clock_warning:
        print(f"flick-agent: {gateway.clock_warning}", file=sys.stderr)  # noqa: T201
    print(f"This server has joined as {found.server_id}; its identity is in {path}. Now run `flick-agent run`.")  # noqa: T201
    return 0


async def _run(path: Path, settings: AgentConfig) -> int:
    from agent.agent import run_agent
    from agent.spool.disk.opening import spool_name
    from agent.spool.limits import SpoolLimits

    found = identity.read(path)
    async with lifecycle.stop_requested() as stop:
        await run_agent(
            identity=found,
            clock=SystemClock(),
            rng=random.Random(),  # noqa: S311 - spreads agents in time, guards nothing
            host=this_host,
            version=agent_version(),
            spool_path=(settings.spool_dir or path.parent) / spool_name(found.server_id),
            spool_limits=SpoolLimits(
                max_bytes=settings.spool_max_bytes, max_age_ns=settings.spool_max_age_s * 1_000_000_000
            ),
            cpu_share=settings.cpu_budget,
            memory_bytes=settings.memory_budget,
            custom=settings.custom(path),
            stop=stop,
        )
    return 0


async def _check(path: Path, custom: CustomFolder, *, once: bool, as_json: bool) -> int:
    from agent.check.connection import check_connection
    from agent.check.measurement import measure
    from agent.check.table import lines

    clock = SystemClock()
    connection = await check_connection(path=path, clock=clock)
    collectors = every_collector(processes=True, commands=True, workers=Workers(custom=custom))
    with Collection(collectors=collectors) as collection:
        while True:
            measurement = await measure(collection=collection, clock=clock)
            if as_json:
                whole = {**measurement.as_json(), "connection": asdict(connection)}
                print(json.dumps(whole, allow_nan=False), flush=True)  # noqa: T201
            else:
                print("\n".join(lines(measurement, connection)), flush=True)  # noqa: T201
            if once:
                return 1 if connection.problem else 0


if __name__ == "__main__":
    sys.exit(main())
