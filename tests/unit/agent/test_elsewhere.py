"""On macOS and Windows the agent starts and measures what psutil tells, as far as that can be tried on Linux."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.catalog import CATALOG
from agent.collectors.collector import Moment
from agent.collectors.portable import MEASURES, NOT_TOLD, PortableCollector
from flick.v1 import catalog_pb2 as catalog

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module", params=["darwin", "win32"])
def elsewhere(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the agent says on another system."""
    command = [sys.executable, "-m", "tests.unit.agent.elsewhere", request.param, str(tmp_path_factory.mktemp("agent"))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_agent_starts_and_checks(elsewhere: Any) -> None:
    assert elsewhere["status"] == 0
    assert elsewhere["check"]["connection"]["joined"] is False


def test_it_measures_what_psutil_tells_and_nothing_fails(elsewhere: Any) -> None:
    measured = {one["name"] for one in elsewhere["check"]["metrics"] if one["value"] is not None}

    assert elsewhere["check"]["failing"] == []
    assert {CATALOG[number].name for number in _told_here()} <= measured
    assert measured <= {CATALOG[number].name for number in MEASURES}


def test_it_knows_its_host(elsewhere: Any) -> None:
    assert elsewhere["host"] == {
        "memory_limit": psutil.virtual_memory().total,
        "processors": psutil.cpu_count(),
        "boot_s": pytest.approx(psutil.boot_time(), abs=2),
    }


def test_it_runs_and_keeps_samples(elsewhere: Any) -> None:
    assert elsewhere["taken"] >= 1


def _told_here() -> set[int]:
    """What psutil tells on this very machine at once, without a second moment."""
    answer = PortableCollector().collect(Moment(monotonic_s=0, boottime_s=1))
    told = {number for number, value in answer.core.items() if not math.isnan(value)}
    named = zip(answer.series, answer.values, strict=True)
    return told | {metric for (metric, _), value in named if isinstance(metric, int) and not math.isnan(value)}


def test_the_list_of_what_is_measured_elsewhere_is_what_is_asked_for() -> None:
    collector = PortableCollector()
    collector.collect(Moment(monotonic_s=0, boottime_s=0))
    answer = collector.collect(Moment(monotonic_s=1, boottime_s=1))
    asked = answer.core.keys() | {key[0] for key in answer.series}
    optional = {  # of which this machine may have none
        catalog.METRIC_DISK_READ,
        catalog.METRIC_DISK_WRITE,
        *(number for number in MEASURES if number >= 510),
        *(number for number in MEASURES if CATALOG[number].name == "system.cpu.mode.utilization"),
        catalog.METRIC_CPU_UTILIZATION,
    }

    assert asked <= MEASURES
    assert MEASURES - asked <= optional


@pytest.mark.parametrize("system", NOT_TOLD)
def test_what_a_system_does_not_tell_is_part_of_what_is_asked_for(system: str) -> None:
    assert NOT_TOLD[system] < MEASURES
