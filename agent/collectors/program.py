"""A program of the system that is asked: what it writes to its output."""

import subprocess
from collections.abc import Sequence


def ask_program(command: Sequence[str], *, within_s: float) -> str:
    """The program's output. Raises OSError when it can't be run or fails, TimeoutError when it is slow."""
    program = command[0]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=within_s, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{program}: no answer within {within_s:g} s") from None
    if done.returncode:  # some say on their output what is wrong
        said = (done.stderr.strip() or done.stdout.strip())[:200]
        raise OSError(f"{program}: {said or f'exit status {done.returncode}'}")
    return done.stdout
