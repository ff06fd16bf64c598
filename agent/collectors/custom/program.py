"""Runs an executable of a person's own: bounded in time and output, by itself, with all that it started."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress

MAX_OUTPUT_BYTES = 256 * 1024  # some 3,000 lines
_SAID_BYTES = 200  # of what it says on standard error
_PIECE_BYTES = 65_536
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def run_program(command: Sequence[str], *, folder: str, within_s: float) -> bytes:
    """What it writes to standard output. It runs without a shell, in `folder`, in a process group of its own.

    Raises TimeoutError when it is not done in time, ValueError when it writes too much, OSError when it can't be run or
    fails. Whatever happens, nothing of its process group is left.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=_ENVIRONMENT,
        start_new_session=True,
    ) as process:
        try:
            output, said = _read(process, until_s=time.monotonic() + within_s)
        except TimeoutError:
            raise TimeoutError(f"not done within {within_s:g} s; it was killed") from None
        finally:
            with suppress(ProcessLookupError, PermissionError):  # it is gone already, or runs as another user
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise OSError(f"it ended with {process.returncode}: {said or 'without a word'}")
    return output


def _read(process: "subprocess.Popen[bytes]", *, until_s: float) -> tuple[bytes, str]:
    """Its output, and how what it says begins. Raises TimeoutError and ValueError."""
    assert process.stdout is not None
    assert process.stderr is not None
    output, said = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, output)
        selector.register(process.stderr, selectors.EVENT_READ, said)
        while selector.get_map():
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            for key, _ in selector.select(left_s):
                piece = os.read(key.fd, _PIECE_BYTES)
                if not piece:
                    selector.unregister(key.fileobj)
                elif key.data is output or len(said) < _SAID_BYTES:
                    key.data.extend(piece)
            if len(output) > MAX_OUTPUT_BYTES:
                raise ValueError(f"it wrote more than {MAX_OUTPUT_BYTES} bytes")
    try:
        process.wait(max(0.0, until_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    return bytes(output), bytes(said[:_SAID_BYTES]).decode(errors="replace").strip()
