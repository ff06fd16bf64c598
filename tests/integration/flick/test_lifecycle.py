"""Processes end when they are asked to, and when the one that started them is gone; so does what they run beside."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil

from flick.lifecycle import background
from tests.waiting import eventually

CHILD = """
import os, sys, time
from flick.lifecycle import die_with_parent
die_with_parent(parent_pid=int(sys.argv[1]))
print(os.getpid(), flush=True)
time.sleep(60)
"""
PARENT = f"""
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {CHILD!r}, str(os.getpid())])
time.sleep(60)
"""
SERVICE = """
import asyncio
from flick.lifecycle import stop_requested
async def main():
    async with stop_requested() as stop:
        print("up", flush=True)
        await stop.wait()
        print("drained", flush=True)
asyncio.run(main())
"""


async def test_work_in_the_background_has_ended_when_it_is_left() -> None:
    steps = []

    async def work() -> None:
        steps.append("began")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("ended")

    async with background(work(), name="work"):
        await asyncio.sleep(0)
        steps.append("within")

    assert steps == ["began", "within", "ended"]


async def start(script: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, *arguments, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
    )


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), timeout=20)).decode().strip()


async def test_background_work_ends_even_when_it_loses_a_cancellation() -> None:
    lost = 0

    async def deaf_once() -> None:
        nonlocal lost
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            lost += 1
        await asyncio.Event().wait()

    async with asyncio.timeout(10):
        async with background(deaf_once(), name="deaf"):
            await asyncio.sleep(0)

    assert lost == 1


async def test_a_child_dies_with_its_killed_parent() -> None:
    parent = await start(PARENT)
    child = psutil.Process(int(await line(parent)))
    parent.kill()
    await parent.wait()

    async def alive() -> bool:
        return child.is_running() and child.status() != psutil.STATUS_ZOMBIE

    assert not await eventually(alive, lambda lives: not lives, within_s=10, every_s=0.05)


async def test_a_child_whose_parent_is_gone_already_ends_at_once() -> None:
    orphan = await start(CHILD, str(os.getpid() + 1))

    assert await asyncio.wait_for(orphan.wait(), timeout=20) == 1


async def test_both_signals_ask_to_stop_and_the_process_drains() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        process = await start(SERVICE)
        up = await line(process)
        process.send_signal(number)
        drained = await line(process)

        assert (up, drained, await process.wait()) == ("up", "drained", 0)
