"""`make chaos` itself: nothing is left out, a failure ends nothing, and the report has what was found."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import psutil

from tests.chaos.whole.parts import PARTS, Lane, Part, minutes
from tests.chaos.whole.report import FAILED, PASSED, SKIPPED
from tests.chaos.whole.run import run
from tests.deployables import ROOT
from tests.waiting import until

CONFTEST = """
def pytest_addoption(parser):
    parser.addoption("--long", action="store_true")
"""
TESTS = """
import pytest

def test_that_is_well(request):
    print("long:", request.config.getoption("--long"))

def test_that_is_not():
    print("before")
    assert 1 == 2, "one is not two"

def test_that_can_not_be():
    pytest.skip("needs root")
"""


def _tests(folder: Path, *chosen: str) -> list[str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_some.py").write_text(TESTS)
    return [f"{folder / 'test_some.py'}::{name}" for name in chosen]


def _part(name: str, **how: object) -> Part:
    return Part(name=name, what="some", minutes=1, **how)  # type: ignore[arg-type]


def test_every_test_with_a_long_form_belongs_to_one_part() -> None:
    long_forms = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if path != Path(__file__) and "long_form: bool" in path.read_text()
    }
    counted = Counter(path for part in PARTS for path in part.paths)

    assert long_forms <= counted.keys()
    assert max(counted.values()) == 1
    assert all((ROOT / path).exists() for path in counted)


async def test_a_part_that_fails_ends_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    parts = [
        _part("beside", module="this", lane=Lane.SOAK),
        _part("broken", paths=_tests(tmp_path, "test_that_is_well", "test_that_is_not")),
        _part("well", paths=_tests(tmp_path, "test_that_is_well")),
        _part("nothing", paths=_tests(tmp_path, "test_that_can_not_be")),
    ]
    report = await run(parts, folder=tmp_path / "build", tell=told.append)
    written = json.loads((tmp_path / "build/chaos.json").read_text())
    found = {one.name: one for one in report.results}

    assert {name: one.outcome for name, one in found.items()} == {
        "beside": PASSED, "broken": FAILED, "well": PASSED, "nothing": SKIPPED,
    }  # fmt: skip
    assert not report.ok
    assert written["ok"] is False
    assert [one["name"] for one in written["results"]] == [one.name for one in report.results]
    well, broken = found["broken"].findings
    assert list(well.said) == ["long: True"]
    assert (broken.outcome, broken.said[0]) == (FAILED, "before")
    assert "one is not two" in broken.said[1]
    assert "Namespaces are one honking great idea -- let's do more of those!" in found["beside"].findings[0].said
    assert any("one is not two" in text for text in told)
    assert report.table()[2].split()[:2] == ["broken", "failed"]


async def test_a_part_that_can_not_even_begin_failed(tmp_path: Path) -> None:
    report = await run([_part("broken", module="no_such_module")], folder=tmp_path, tell=lambda _text: None)

    assert not report.ok


async def test_lanes_run_beside_each_other_and_one_part_of_a_lane_after_the_other(tmp_path: Path) -> None:
    told: list[str] = []
    program = tmp_path / "test_told.py"
    program.write_text("import time\ndef test_that_takes_time():\n    time.sleep(1)\n")
    (tmp_path / "conftest.py").write_text(CONFTEST)
    parts = [_part("first", paths=[str(program)]), _part("second", paths=[str(program)])]
    beside = _part("beside", paths=[str(program)], lane=Lane.WAITING, niceness=1)
    await run([*parts, beside], folder=tmp_path / "build", tell=told.append)
    begun = {
        name: next(number for number, text in enumerate(told) if text.startswith(name))
        for name in ("first", "second", "beside")
    }
    ended = next(number for number, text in enumerate(told) if text.startswith("first passed"))

    assert begun["beside"] < ended < begun["second"]


def test_the_whole_takes_at_most_about_a_hundred_minutes() -> None:
    assert minutes(PARTS) <= 100
    assert minutes([_part("a"), _part("b"), _part("c", lane=Lane.SOAK)]) == 2


def _endless() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "http.server" in " ".join(one.cmdline())]


async def test_what_runs_ends_when_the_whole_is_stopped(tmp_path: Path) -> None:
    part = _part("endless", module="http.server", arguments=("0", "--bind", "127.0.0.1"))
    running = asyncio.create_task(run([part], folder=tmp_path, tell=lambda _text: None))
    await until(_endless)
    running.cancel()
    await asyncio.wait({running})

    assert not _endless()
