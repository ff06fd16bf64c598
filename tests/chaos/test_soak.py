"""The soak in a small form: its faults, its recording and its verdict; the hour is `make chaos`."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.chaos.checking.checker import Findings
from tests.chaos.house.vitals import Reading, Vitals
from tests.chaos.soak import GOAL_MIB_PER_H, Report, soak

MIB = 2**20
QUICK = ["every connection is torn", "kill -9 of a PostgreSQL backend"]


async def test_a_soak_loses_nothing_and_has_a_reading_of_every_second(tmp_path: Path) -> None:
    report = await soak(
        agents=8, minutes=0.12, fault_every_s=2.0, warm_up_s=2.0, folder=tmp_path, faults=QUICK, full_hours=0
    )
    report.write(tmp_path / "soak.json")

    assert [name for name, _ in report.faults] == QUICK[: len(report.faults)]
    assert all(back_s is not None for _, back_s in report.faults)
    assert report.findings.clean, report.findings
    assert report.findings.acked > 0
    assert len(report.ingest) > 5
    assert json.loads((tmp_path / "soak.json").read_text())["findings"]["acked"] == report.findings.acked


@pytest.mark.parametrize("leak_mib_per_h", [0.0, 0.5, 2.0, 50.0])
def test_a_leak_is_found_under_the_noise(leak_mib_per_h: float) -> None:
    rng = random.Random(1)
    readings = [
        _reading(at_s, 80 + leak_mib_per_h * at_s / 3600 + rng.gauss(0, 0.3) + (at_s < 600) * 30)
        for at_s in range(3600)
    ]
    vitals = Vitals(readings={"ingest": readings})

    found = vitals.slope_mib_per_h("ingest", after_s=600)

    assert found == pytest.approx(leak_mib_per_h, abs=0.1)


@pytest.mark.parametrize("peaks_at_s", [[700], [2000], [3500], range(900, 3600, 300)])
@pytest.mark.parametrize("leak_mib_per_h", [0.0, 2.0])
def test_what_is_held_for_seconds_is_no_growth_whenever_it_comes(
    leak_mib_per_h: float, peaks_at_s: Sequence[int]
) -> None:
    def rss_mib(at_s: int) -> float:
        peaking = any(begin_s <= at_s < begin_s + 40 for begin_s in peaks_at_s)
        return 80 + leak_mib_per_h * at_s / 3600 + 25 * peaking

    vitals = Vitals(readings={"ingest": [_reading(at_s, rss_mib(at_s)) for at_s in range(3600)]})

    assert vitals.slope_mib_per_h("ingest", after_s=600) == pytest.approx(leak_mib_per_h, abs=0.3)
    assert vitals.peak_rss_mib("ingest", after_s=600) > 104


def test_what_stays_of_every_peak_is_growth() -> None:
    vitals = Vitals(readings={"ingest": [_reading(at_s, 80 + 0.5 * (at_s // 300)) for at_s in range(3600)]})

    assert vitals.slope_mib_per_h("ingest", after_s=600) == pytest.approx(6, abs=0.5)


def test_a_step_in_the_middle_is_growth() -> None:
    vitals = Vitals(readings={"ingest": [_reading(at_s, 80 + 10 * (at_s > 2100)) for at_s in range(3600)]})

    assert vitals.slope_mib_per_h("ingest", after_s=600) > GOAL_MIB_PER_H


def test_a_report_is_well_only_when_all_is_kept_everybody_is_back_and_nothing_grows() -> None:
    well = Report(agents=1, minutes=1, faults=[("fault", 3.0)], slope_mib_per_h=GOAL_MIB_PER_H / 2)

    assert well.ok
    well.slope_mib_per_h = 2 * GOAL_MIB_PER_H
    assert not well.ok
    well.slope_mib_per_h, well.faults = 0.0, [("fault", None)]
    assert not well.ok
    well.faults, well.findings = [], Findings(acked_not_stored=1)
    assert not well.ok


def _reading(at_s: float, rss_mib: float) -> Reading:
    return Reading(at_s=at_s, rss_bytes=int(rss_mib * MIB), fds=60, threads=9)
