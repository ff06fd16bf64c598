"""Start other programs so that they cannot outlive this one, with dropped privileges where asked."""

import asyncio
import ctypes  # noqa: F401 - die_with_parent needs it when the account may not read Python's own files any more
import functools
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.local.machine.account import Account
from flick.lifecycle import die_with_parent

_STREAM_LIMIT_BYTES = 1 << 20  # the longest log line that is read as one


async def spawn(
    *command: str | Path,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
    fold_stderr: bool = True,
    output: int = asyncio.subprocess.PIPE,
) -> asyncio.subprocess.Process:
    """Start a program in a session of its own, so that Ctrl-C reaches only the launcher.

    Output comes by pipe, or goes to the file descriptor `output`.

    Must be called from the main thread: the death signal follows the thread that forked. It is asked for after
    privileges are dropped (subprocess runs preexec_fn last), because changing credentials clears it.
    """
    drop = account if account is not None and os.geteuid() == 0 and account.uid != 0 else None
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=asyncio.subprocess.STDOUT if fold_stderr else asyncio.subprocess.PIPE,
        env=dict(environment) if environment is not None else None,
        cwd=directory,
        user=drop.uid if drop else None,
        group=drop.gid if drop else None,
        extra_groups=[] if drop else None,
        umask=0o077 if drop else -1,
        start_new_session=True,
        preexec_fn=functools.partial(die_with_parent, parent_pid=os.getpid(), signal_number=death_signal),
        limit=_STREAM_LIMIT_BYTES,
    )


async def run(
    *command: str | Path,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    on_line: Callable[[str], None] | None = None,
) -> tuple[int, str]:
    """Run a program to its end and return its exit code and joined output; a cancelled caller ends the program."""
    process = await spawn(*command, account=account, environment=environment, directory=directory)
    assert process.stdout is not None
    lines: list[str] = []
    try:
        async for raw in process.stdout:
            line = raw.decode(errors="replace")
            lines.append(line)
            if on_line is not None:
                on_line(line.rstrip())
        return await process.wait(), "".join(lines)
    finally:
        await end_group(process)


async def end_group(process: asyncio.subprocess.Process) -> None:
    """Kill whatever is left of the program and of what it started, and reap it."""
    if process.returncode is None:
        kill_group(process, signal.SIGKILL)
        await process.wait()


def kill_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Send a signal to the program and to everything in its session's group; a program already gone is no error."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
