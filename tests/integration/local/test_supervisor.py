"""The supervisor with real processes: order, restarts that name the dead, logs, and no survivors."""

import asyncio
import json
import os
import random
import signal
import sys
from pathlib import Path

import psutil
import pytest

from deploy.local.errors import LocalError, PartError
from deploy.local.supervision.part import Happening, Part, Report, Step
from deploy.local.supervision.supervisor import Supervisor
from flick.clock import SystemClock
from tests.waiting import until

PYTHON = sys.executable
SLEEPER = [PYTHON, "-c", "import time; print('awake', flush=True); time.sleep(600)"]


class Scene:
    """A supervisor and what it reported."""

    def __init__(self, folder: Path) -> None:
        self.reports: list[Report] = []
        self.supervisor = Supervisor(
            logs=folder / "logs", report=self.reports.append, clock=SystemClock(), randomness=random.Random(7)
        )

    def happenings(self, part: str) -> list[Happening]:
        return [report.happening for report in self.reports if report.part == part]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


async def test_parts_stop_in_the_reverse_order_of_their_start(scene: Scene) -> None:
    async with scene.supervisor as supervisor:
        await supervisor.start(Part(name="first", command=SLEEPER, environment={}))
        await supervisor.start(Part(name="second", command=SLEEPER, environment={}))
    stopped = [report.part for report in scene.reports if report.happening is Happening.STOPPED]

    assert stopped == ["second", "first"]


async def test_a_part_is_started_only_after_the_one_before_it_is_ready(scene: Scene, tmp_path: Path) -> None:
    async def file_exists() -> bool:
        return (tmp_path / "ready").exists()

    slow = [PYTHON, "-c", f"import time; time.sleep(0.3); open({str(tmp_path / 'ready')!r}, 'w'); time.sleep(600)"]
    async with scene.supervisor as supervisor:
        await supervisor.start(Part(name="slow", command=slow, environment={}, ready=file_exists))

        assert (tmp_path / "ready").exists()
        assert scene.happenings("slow") == [Happening.STARTING, Happening.READY]


async def test_a_part_that_dies_is_named_with_its_last_lines_and_restarted(scene: Scene) -> None:
    async with scene.supervisor as supervisor:
        await supervisor.start(Part(name="mortal", command=SLEEPER, environment={}))
        first = supervisor.pids()["mortal"]
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: scene.happenings("mortal").count(Happening.READY) == 2)
        second = supervisor.pids()["mortal"]
    death = next(report for report in scene.reports if report.happening is Happening.DIED)

    assert second not in (None, first)
    assert (death.part, death.detail) == ("mortal", "signal SIGKILL")
    assert death.restart_in_s is not None
    assert 0.25 <= death.restart_in_s <= 0.5


async def test_a_renewed_part_is_another_process_and_counts_as_no_death(scene: Scene) -> None:
    async with scene.supervisor as supervisor:
        await supervisor.start(Part(name="reader", command=SLEEPER, environment={}))
        first = supervisor.pids()["reader"]
        await supervisor.renew("reader")
        await until(lambda: scene.happenings("reader").count(Happening.READY) == 2)
        second = supervisor.pids()["reader"]

    assert second not in (None, first)
    assert Happening.DIED not in scene.happenings("reader")


async def test_a_part_that_never_becomes_ready_ends_the_start_and_shows_why(scene: Scene) -> None:
    broken = Part(
        name="broken", command=[PYTHON, "-c", "import sys; sys.exit('no such table')"], environment={}, ready=_never
    )
    async with scene.supervisor as supervisor:
        with pytest.raises(PartError, match=r"(?s)broken ended 3 times .* exit code 1.*no such table"):
            await supervisor.start(broken)


async def test_a_part_that_is_not_ready_in_time_is_ended(scene: Scene) -> None:
    async with scene.supervisor as supervisor:
        with pytest.raises(PartError, match="mute was not ready within 1 s"):
            await supervisor.start(Part(name="mute", command=SLEEPER, environment={}, ready=_never, ready_within_s=0.6))

        assert supervisor.pids() == {"mute": None}


async def test_a_fault_that_waiting_cannot_mend_ends_the_start_at_once(scene: Scene) -> None:
    async def refused() -> None:
        raise LocalError("written by another version")

    async with scene.supervisor as supervisor:
        with pytest.raises(LocalError, match="another version"):
            await supervisor.start(Part(name="old", command=SLEEPER, environment={}, prepare=refused))


async def test_a_missing_program_is_named(scene: Scene) -> None:
    async with scene.supervisor as supervisor:
        with pytest.raises(FileNotFoundError, match="no-such-program"):
            await supervisor.start(Part(name="lost", command=["/no-such-program"], environment={}))


async def test_impatience_ends_a_part_that_is_being_drained(scene: Scene) -> None:
    stubborn = [PYTHON, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"]
    async with scene.supervisor as supervisor:
        await supervisor.start(Part(name="stubborn", command=stubborn, environment={}, stop_within_s=60))
        stopping = asyncio.create_task(supervisor.stop())
        await until(lambda: Happening.STOPPING in scene.happenings("stubborn"))
        await supervisor.kill()
        await asyncio.wait_for(stopping, timeout=5)

        assert supervisor.pids() == {}


async def test_what_a_part_started_ends_with_it(scene: Scene) -> None:
    nurse = [PYTHON, "-c", "import subprocess, time; p = subprocess.Popen(['/bin/sleep', '600']); time.sleep(600)"]
    async with scene.supervisor as supervisor:
        await supervisor.start(Part(name="nurse", command=nurse, environment={}))
        pid = supervisor.pids()["nurse"]
        await until(lambda: len(psutil.Process(pid).children()) == 1)
        child = psutil.Process(pid).children()[0]
    await until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)

    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


async def test_a_step_answers_with_json_and_its_errors_go_to_the_log(scene: Scene, tmp_path: Path) -> None:
    code = "import sys; print('note', file=sys.stderr); print('{\"created\": true}')"
    async with scene.supervisor as supervisor:
        answer = await supervisor.run_for_answer(Step(name="seed", command=[PYTHON, "-c", code], environment={}))

    assert answer == {"created": True}
    assert (tmp_path / "logs/seed.log").read_text() == "note\n"


async def test_a_failed_step_shows_its_last_words(scene: Scene) -> None:
    async with scene.supervisor as supervisor:
        with pytest.raises(PartError, match=r"(?s)migrate failed with exit code 1.*relation missing"):
            await supervisor.run(
                Step(name="migrate", command=[PYTHON, "-c", "import sys; sys.exit('relation missing')"], environment={})
            )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_no_part_outlives_the_launcher(reachable_dir: Path, number: signal.Signals) -> None:
    launcher = await asyncio.create_subprocess_exec(
        PYTHON, "-m", "tests.integration.local.toy_launcher", str(reachable_dir), stdout=asyncio.subprocess.PIPE
    )
    assert launcher.stdout is not None
    pids = json.loads(await asyncio.wait_for(launcher.stdout.readline(), timeout=10))
    parts = [psutil.Process(pid) for pid in pids.values()]
    launcher.send_signal(number)
    await asyncio.wait_for(launcher.wait(), timeout=10)
    _, alive = await asyncio.to_thread(psutil.wait_procs, parts, timeout=5)

    assert [process.name() for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


async def _never() -> bool:
    return False
