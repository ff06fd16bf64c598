"""The doctor finds what stands in the way and says how to mend it."""

import json
import socket
from pathlib import Path

import pytest

from deploy.local.doctor import DoctorOptions, machine, run, sources
from deploy.local.doctor.finding import Level
from deploy.local.machine.ports import free_port
from tests.folders import reachable_folder

NOON = "Fri, 02 Jan 2026 12:00:00 GMT"
NOON_S = 1_767_355_200.0


def test_an_old_python_fails() -> None:
    assert machine.python((3, 10, 4)).level is Level.FAIL
    assert machine.python((3, 11, 0)).level is Level.OK


@pytest.mark.parametrize(
    ("offset_s", "level", "word"), [(0, Level.OK, "agrees"), (90, Level.WARN, "ahead"), (-90, Level.WARN, "behind")]
)
def test_a_wrong_clock_is_named_with_its_direction(offset_s: float, level: Level, word: str) -> None:
    finding = sources.clock(NOON, now_s=NOON_S + offset_s)

    assert finding.level is level
    assert word in finding.detail


def test_a_busy_port_is_a_warning_because_another_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = machine.port(taken.getsockname()[1], host="127.0.0.1")

    assert busy.level is Level.WARN
    assert "--port" in busy.mend
    assert machine.port(free_port(), host="127.0.0.1").level is Level.OK


def test_every_problem_says_how_to_mend_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = run(
        DoctorOptions(json=True, data_dir=tmp_path / "data"),
        environ={"FLICK_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/x", "FLICK_REDIS_URL": "redis://127.0.0.1:9"},
    )
    report = json.loads(capsys.readouterr().out)
    failed = {check["name"] for check in report["checks"] if check["level"] == "fail"}

    assert code == 1
    assert not report["ok"]
    assert {"database", "redis"} <= failed
    assert all(check["mend"] for check in report["checks"] if check["level"] != "ok")


def test_a_misspelt_setting_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    with reachable_folder() as folder:
        run(DoctorOptions(data_dir=folder / "data"), environ={"FLICK_DATABSE_URL": "x", "XDG_CACHE_HOME": str(folder)})
    text = capsys.readouterr().out

    assert "FAIL  settings" in text
    assert "Did you mean FLICK_DATABASE_URL?" in text
