"""A program that runs the agent as if this were another system: `python -m tests.unit.agent.elsewhere SYSTEM FOLDER`.

What the standard library, gRPC and psutil need of this very system is imported first. Then the system's name is
changed, what only Linux (and, for `win32`, only Unix) has is taken away, whoever opens a file of /proc or /sys is
refused, but for psutil, and the agent is imported anew. It prints what `flick-agent check` says, and what the agent
knows of its host and takes.
"""

import asyncio
import contextlib
import io
import json
import os
import signal
import socket
import sys
import time
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

LINUX_ONLY: dict[ModuleType, tuple[str, ...]] = {
    time: ("CLOCK_BOOTTIME",),
    socket: ("AF_NETLINK", "AF_PACKET", "SOCK_CLOEXEC"),
}
UNIX_ONLY: dict[ModuleType, tuple[str, ...]] = {
    os: ("sysconf", "statvfs", "statvfs_result", "pread", "geteuid", "getuid", "O_CLOEXEC", "fchown", "killpg"),
    time: ("clock_gettime", "CLOCK_MONOTONIC"),
    signal: ("SIGKILL", "SIGHUP"),
}
UNIX_MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog")
LIBRARY = ("psutil", "subprocess", "asyncio")
HIDDEN = ("/proc/", "/sys/")


class Missing(MetaPathFinder):
    """Modules that the other system does not have."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def find_spec(self, name: str, *_: Any) -> None:
        if name in self._names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def hide_files(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: this system's own files are not there, but for psutil, which stands for the other system's."""
    if event != "open" or not isinstance(arguments[0], str | bytes):
        return
    path = os.fsdecode(arguments[0])
    if not path.startswith(HIDDEN):
        return
    frame = sys._getframe()  # who asks is what matters
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("psutil"):
            return
        frame = frame.f_back  # type: ignore[assignment]
    raise FileNotFoundError(2, "another system has no such file", path)


def keep_for_library(module: ModuleType) -> None:
    """Have what stands for the other system's psutil and subprocesses use a whole copy of a module."""
    copy = ModuleType(module.__name__)
    vars(copy).update(vars(module))
    for name, user in list(sys.modules.items()):
        if name.startswith(LIBRARY) and getattr(user, module.__name__, None) is module:
            setattr(user, module.__name__, copy)


def become(system: str) -> None:
    """Be `darwin` or `win32` from now on."""
    import grpc.aio  # noqa: F401
    import psutil  # noqa: F401

    import agent.__main__
    import agent.agent  # noqa: F401 - with all that they import of others

    taken = (
        {**LINUX_ONLY}
        if system == "darwin"
        else {one: LINUX_ONLY.get(one, ()) + UNIX_ONLY.get(one, ()) for one in (*LINUX_ONLY, *UNIX_ONLY)}
    )
    for name in [name for name in sys.modules if name.split(".")[0] in ("agent", "flick")]:
        if not name.startswith("flick.v1"):  # its descriptors are known to protobuf already
            del sys.modules[name]
    for module, names in taken.items():
        keep_for_library(module)
        for name in names:
            vars(module).pop(name, None)
    if system == "win32":
        for name in UNIX_MODULES:
            sys.modules.pop(name, None)
        sys.meta_path.insert(0, Missing(*UNIX_MODULES))
    sys.addaudithook(hide_files)
    sys.platform = system


def main(system: str, folder: Path) -> None:
    """Print one JSON object."""
    become(system)
    from agent.__main__ import main as run
    from agent.host import this_host

    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        status = run(["check", "--once", "--json", "--identity", str(folder / "identity.json")])
    host = this_host()
    facts = {"memory_limit": host.memory_limit, "processors": host.cpu_logical_count, "boot_s": host.boot_time.seconds}
    taken = asyncio.run(run_for_a_sample(folder))
    print(json.dumps({"status": status, "check": json.loads(output.getvalue()), "host": facts, "taken": taken}))  # noqa: T201


async def run_for_a_sample(folder: Path) -> int:
    """Run the agent, without an ingest, until it has taken a sample; how many it has taken then."""
    import random

    from agent.agent import run_agent
    from agent.host import this_host
    from agent.identity import Identity
    from agent.spool.disk.fallback import FallbackSpool
    from agent.spool.limits import SpoolLimits
    from flick.clock import SystemClock
    from flick.lifecycle import stop_requested

    clock, limits, path = SystemClock(), SpoolLimits(), folder / "spool.db"
    async with stop_requested() as stop:
        running = asyncio.create_task(
            run_agent(
                identity=Identity(server_id="here", agent_key="flk_x", ingest_address="127.0.0.1:1"),
                clock=clock,
                rng=random.Random(1),
                host=this_host,
                version="0",
                spool_path=path,
                spool_limits=limits,
                stop=stop,
                flush_s=0.1,
            )
        )
        wal = path.with_name(path.name + "-wal")
        empty = None
        while not running.done():
            size = wal.stat().st_size if wal.exists() else 0
            empty = size if empty is None and size else empty
            if empty is not None and size > empty:
                stop.set()
                break
            await asyncio.sleep(0.05)
        await running
    with FallbackSpool(path=path, limits=limits, clock=clock) as spool:
        return spool.status().taken_samples


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
