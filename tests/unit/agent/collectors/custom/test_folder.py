"""The folder as a collector: files come, go, fail and hang, and none of them stops another."""

import itertools
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.collection import Collection, Readings
from agent.collectors.collector import CustomMetric, Moment
from agent.collectors.custom import folder as folder_module
from agent.collectors.custom.collector import CustomCollector
from agent.collectors.custom.folder import KEEP_S, LOOK_EVERY_S, MAX_SERIES, CustomFolder
from agent.collectors.custom.settings import CustomSettings
from agent.collectors.system.own import OwnCollector

WITHIN_S = 30.0


class Asked:
    """A collection over a folder, asked at moments that go on by themselves."""

    def __init__(self, folder: Path, *, timeout_s: float = 20.0, stale_s: float = 3600.0) -> None:
        settings = CustomSettings(folder=folder, interval_s=30.0, timeout_s=timeout_s, stale_s=stale_s)
        custom = CustomCollector(folder=CustomFolder(settings=settings))
        self._collection = Collection(collectors=[OwnCollector(), custom])
        self._now_s = itertools.count(1000.0, step=LOOK_EVERY_S)
        self.now_s = 0.0

    def ask(self) -> Readings:
        self.now_s = next(self._now_s)
        return self._collection.collect(Moment(monotonic_s=self.now_s, boottime_s=self.now_s))

    @property
    def failing(self) -> dict[str, str]:
        return {failure.collector: failure.reason for failure in self._collection.failing}

    def until(self, good: Callable[[dict[str, float]], bool]) -> dict[str, float]:
        until_s = time.monotonic() + WITHIN_S
        while not good(found := values(self.ask())):
            assert time.monotonic() < until_s, (found, self.failing)
            time.sleep(0.02)
        return found


def values(readings: Readings) -> dict[str, float]:
    return {
        f"{metric.name}{dict(zip(metric.label_keys, labels, strict=True)) or ''}": value
        for (metric, labels), value in zip(readings.series, readings.values, strict=True)
        if isinstance(metric, CustomMetric)
    }


def put(folder: Path, name: str, content: str) -> None:
    """As a careful job does it: all at once."""
    hidden = folder / f".{name}"
    hidden.write_text(content)
    hidden.chmod(0o755)
    hidden.rename(folder / name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "custom"
    folder.mkdir(mode=0o755)
    return folder


def test_files_dropped_in_are_measured_without_a_restart(folder: Path) -> None:
    asked = Asked(folder)
    assert values(asked.ask()) == {}
    put(folder, "backup.prom", "backup_bytes 12\n")
    put(folder, "script", "#!/bin/sh\necho 'jobs{queue=\"mail\"} 3'\n")

    assert asked.until(lambda found: len(found) == 2) == {"backup_bytes": 12.0, "jobs{'queue': 'mail'}": 3.0}
    assert asked.failing == {}


def test_one_that_fails_or_hangs_stops_no_other_and_is_told_by_name(folder: Path) -> None:
    put(folder, "a-hangs", "#!/bin/sh\nsleep 300\n")
    put(folder, "b-fails", "#!/bin/sh\necho no disk >&2\nexit 1\n")
    put(folder, "c-nonsense", "#!/bin/sh\necho 'half a'\n")
    put(folder, "d.prom", "{}")
    put(folder, "e-works", "#!/bin/sh\necho 'works 1'\n")
    asked = Asked(folder, timeout_s=1.0)
    found = asked.until(lambda found: "works" in found and len(asked.failing) == 4)

    assert found == {"works": 1.0}
    assert asked.failing["custom/a-hangs"] == "not done within 1 s; it was killed"
    assert "it ended with 1: no disk" in asked.failing["custom/b-fails"]
    assert asked.failing["custom/c-nonsense"].startswith("line 1: 'a' is no number")
    assert asked.failing["custom/d.prom"].startswith("line 1:")


def test_one_that_failed_and_is_mended_is_told_no_more(folder: Path) -> None:
    put(folder, "a.prom", "a")
    asked = Asked(folder)
    asked.until(lambda _: "custom/a.prom" in asked.failing)
    put(folder, "a.prom", "a 1")
    asked.until(lambda found: found == {"a": 1.0})

    assert asked.failing == {}


def test_a_file_that_fails_leaves_holes_in_the_same_places(folder: Path) -> None:
    put(folder, "a.prom", "a 1\n")
    put(folder, "b.prom", "b 2\n")
    asked = Asked(folder)
    asked.until(lambda found: len(found) == 2)
    before = asked.ask()
    put(folder, "a.prom", "a one\n")
    asked.until(lambda found: math.isnan(found["a"]))
    after = asked.ask()

    assert after.series == before.series
    assert values(after)["b"] == 2.0


def test_a_stale_text_file_is_a_hole_and_told(folder: Path) -> None:
    put(folder, "a.prom", "a 1\n")
    os.utime(folder / "a.prom", (time.time() - 7300, time.time() - 7300))
    asked = Asked(folder, stale_s=3600)
    asked.until(lambda _: bool(asked.failing))

    assert asked.failing == {"custom/a.prom": "not written for 122 min"}
    assert values(asked.ask()) == {}


def test_a_counter_in_a_text_file_grows_by_when_it_was_written(folder: Path) -> None:
    asked = Asked(folder)
    now_s = time.time()
    put(folder, "a.prom", "a_total 10\n")
    os.utime(folder / "a.prom", (now_s - 100, now_s - 100))
    asked.until(lambda found: "a_total" in found)
    hidden = folder / ".next"
    hidden.write_text("a_total 60\n")
    os.utime(hidden, (now_s, now_s))
    hidden.rename(folder / "a.prom")
    found = asked.until(lambda found: not math.isnan(found["a_total"]))

    assert found["a_total"] == pytest.approx(0.5)


def test_a_pipe_of_that_name_holds_up_nothing(folder: Path) -> None:
    os.mkfifo(folder / "a.prom")
    asked = Asked(folder)
    asked.until(lambda _: asked.failing == {"custom/a.prom": "is no file"})


def test_a_series_of_two_files_counts_once(folder: Path) -> None:
    put(folder, "a.prom", "# HELP a One.\na 1\n")
    put(folder, "b.prom", "# HELP a Two.\na 2\nb 2\n")
    asked = Asked(folder)
    found = asked.until(lambda found: len(found) == 2)

    assert found == {"a": 1.0, "b": 2.0}
    assert "comes from another file" in asked.failing["custom/b.prom"]


def test_a_description_that_changes_makes_no_second_series(folder: Path) -> None:
    put(folder, "a.prom", "# HELP a One.\na 1\n")
    asked = Asked(folder)
    asked.until(lambda found: found == {"a": 1.0})
    put(folder, "a.prom", "# HELP a Two.\na 2\n")
    asked.until(lambda found: found == {"a": 2.0})
    ((metric, _),) = (key for key in asked.ask().series if isinstance(key[0], CustomMetric))

    assert isinstance(metric, CustomMetric)
    assert metric.description == "Two."


def test_a_series_that_is_gone_keeps_its_place_for_an_hour(folder: Path) -> None:
    put(folder, "a.prom", "a 1\n")
    asked = Asked(folder)
    asked.until(lambda found: found == {"a": 1.0})
    (folder / "a.prom").unlink()
    asked.until(lambda found: math.isnan(found["a"]))
    gone_s = asked.now_s
    while asked.now_s < gone_s + KEEP_S - 2 * LOOK_EVERY_S:
        assert values(asked.ask()).keys() == {"a"}

    assert asked.until(lambda found: not found) == {}


def test_too_many_series_are_cut_and_told(folder: Path) -> None:
    for name in ("a", "b", "c"):
        put(folder, f"{name}.prom", "".join(f"{name}{number} 1\n" for number in range(400)))
    asked = Asked(folder)
    found = asked.until(lambda found: len(found) == MAX_SERIES and "custom/series" in asked.failing)

    assert sum(name.startswith("c") for name in found) == 200
    assert asked.failing["custom/series"] == "1200 series; 1000 at most, the last files' are left out."


def test_an_executable_runs_once_for_all_sets_of_collectors_and_never_twice_at_once(folder: Path) -> None:
    put(folder, "a", "#!/bin/sh\necho x >> runs\nsleep 1\necho a $(wc -l < runs)\n")
    settings = CustomSettings(folder=folder, interval_s=5.0, timeout_s=4.0)
    shared = CustomFolder(settings=settings)
    moment_s = 1000.0
    until_s = time.monotonic() + WITHIN_S
    while not (found := shared.at(moment_s)).values and time.monotonic() < until_s:
        moment_s += settings.interval_s  # it is due again and again while it still runs
        time.sleep(0.02)

    assert found.values == (1.0,)


def test_no_more_executables_run_at_a_time_than_they_may(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "AT_ONCE", 1)
    for name in ("a", "b", "c"):
        put(folder, name, f"#!/bin/sh\nmkdir running || exit 1\nsleep 0.3\nrmdir running\necho {name} 1\n")
    asked = Asked(folder)

    assert asked.until(lambda found: len(found) == 3) == {"a": 1.0, "b": 1.0, "c": 1.0}
