"""A program of a person's own is bounded in time and output, and leaves nothing behind."""

import os
import sys
import time
from pathlib import Path

import pytest

from agent.collectors.custom.program import MAX_OUTPUT_BYTES, run_program

LONG_S = 60.0


def _run(code: str, *arguments: str, folder: Path, within_s: float = LONG_S) -> bytes:
    return run_program([sys.executable, "-S", "-c", code, *arguments], folder=str(folder), within_s=within_s)


def test_its_output_is_told_and_its_words_to_people_are_not(tmp_path: Path) -> None:
    code = "import sys, os; print(os.getcwd()); print(sorted(os.environ)); print('x' * 100_000, file=sys.stderr)"
    output = _run(code, folder=tmp_path).decode().splitlines()

    assert output[0] == str(tmp_path)
    assert "FLICK" not in output[1]


def test_it_reads_nothing(tmp_path: Path) -> None:
    assert _run("import sys; print(repr(sys.stdin.read()))", folder=tmp_path) == b"''\n"


def test_one_that_fails_is_told_with_its_words(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="it ended with 3: no such disk"):
        _run("import sys; print('no such disk', file=sys.stderr); sys.exit(3)", folder=tmp_path)


def test_one_that_is_slow_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; print(subprocess.Popen(['sleep', '300']).pid, flush=True, file=open(sys.argv[1], 'w'))"
    )
    note = tmp_path / "pid"
    with pytest.raises(TimeoutError, match="not done within 2 s; it was killed"):
        _run(code + "; import time; time.sleep(300)", str(note), folder=tmp_path, within_s=2)
    pid = int(note.read_text())

    assert _is_gone(pid)


def test_one_that_leaves_a_child_with_its_output_is_given_up_too(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        _run("import subprocess; subprocess.Popen(['sleep', '300'])", folder=tmp_path, within_s=2)


def test_one_that_writes_without_end_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"more than {MAX_OUTPUT_BYTES} bytes"):
        _run("while True: print('x' * 1000)", folder=tmp_path)


def test_one_that_can_not_be_run_is_told(tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("no interpreter is named here")
    path.chmod(0o755)

    with pytest.raises(OSError, match="Exec format error"):
        run_program([str(path)], folder=str(tmp_path), within_s=LONG_S)


def _is_gone(pid: int) -> bool:
    until_s = time.monotonic() + LONG_S
    while time.monotonic() < until_s:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":  # killed; nobody has asked for its end yet
            return True
        os.sched_yield()
    return False
