"""Runs the parts, each as a process of its own, and goes on whatever one of them finds."""

import asyncio
import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import psutil

from tests.chaos.whole.parts import Lane, Part
from tests.chaos.whole.report import FAILED, PASSED, Finding, Report, Result, read_junit, result_of
from tests.deployables import ROOT

STOP_WITHIN_S = 60.0  # what its servers take to end
TOLD_LINES = 30  # of what a program says at its end


async def run(parts: Sequence[Part], *, folder: Path, tell: Callable[[str], None]) -> Report:
    """Run all parts, those of one lane one after the other.

    Args:
        folder: gets `chaos.json`, written anew after each part, and each part's whole output below `chaos/`.
        tell: told what begins, and what was found.
    """
    began_s = time.monotonic()
    report = Report(
        commit=_commit(),
        began=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        cores=os.cpu_count() or 1,
    )
    (folder / "chaos").mkdir(parents=True, exist_ok=True)

    async def one_by_one(lane: Sequence[Part]) -> None:
        for part in lane:
            tell(f"{part.name} begins, about {part.minutes:g} minutes: {part.what}")
            report.results.append(await _run(part, folder=folder / "chaos"))
            report.write(folder / "chaos.json")
            tell("\n".join(report.results[-1].lines()))

    async with asyncio.TaskGroup() as lanes:
        for lane in Lane:
            lanes.create_task(one_by_one([part for part in parts if part.lane is lane]))
    report.seconds = round(time.monotonic() - began_s, 1)
    report.write(folder / "chaos.json")
    return report


async def _run(part: Part, *, folder: Path) -> Result:
    log, junit = folder / f"{part.name}.log", folder / f"{part.name}.xml"
    junit.unlink(missing_ok=True)
    began_s, before = time.monotonic(), _spent_s()
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *_arguments(part, junit)),
            cwd=ROOT,
            stdout=sink,
            stderr=sink,
            preexec_fn=partial(_begin, part.niceness),
        )
        try:
            code = await process.wait()
        finally:
            await _end(process)
    seconds = time.monotonic() - began_s
    findings = read_junit(junit) if part.paths else [_told(part, log, code=code, seconds=seconds)]
    return result_of(part, code=code, seconds=seconds, busy=_busy_since(before), findings=findings)


def _arguments(part: Part, junit: Path) -> list[str]:
    if part.module:
        return ["-m", part.module, *part.arguments]
    heard = ["--capture=tee-sys", f"--junitxml={junit}", "-o", "junit_logging=system-out"]
    return ["-m", "pytest", *part.paths, "--long", "--numprocesses", "0", *heard]


def _told(part: Part, log: Path, *, code: int, seconds: float) -> Finding:
    lines = log.read_text(errors="replace").splitlines()[-TOLD_LINES:]
    return Finding(name=part.name, outcome=PASSED if code == 0 else FAILED, seconds=round(seconds, 1), said=lines)


def _begin(niceness: int) -> None:
    """In a part: give way, and heed interrupts, which a program that a shell runs in the background would ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.nice(niceness)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End it as Ctrl-C does, so that it ends its servers."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        await asyncio.wait_for(process.wait(), timeout=STOP_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _spent_s() -> tuple[float, float]:
    """Seconds of all processors since the machine's start: with work, and without."""
    spent = psutil.cpu_times()
    return spent.user + spent.nice + spent.system, spent.idle + spent.iowait


def _busy_since(before: tuple[float, float]) -> float:
    work_s, idle_s = (now - then for now, then in zip(_spent_s(), before, strict=True))
    return work_s / (work_s + idle_s or 1)


def _commit() -> str:
    """The short hash of what is run, with `+` when it was changed since; empty outside of git."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found.stdout.strip()
