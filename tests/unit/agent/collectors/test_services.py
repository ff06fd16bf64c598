"""Services are told as systemd and control groups of machines tell them that this one is not."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.collectors.collector import Measured
from agent.collectors.services import systemctl
from agent.collectors.services.choice import MAX_FAILED, MAX_SERVICES, ServiceChoice
from agent.collectors.services.systemctl import Unit, Units
from agent.collectors.services.units import ServicesCollector
from flick.v1 import catalog_pb2 as catalog
from tests.unit.agent.collectors.moments import at
from tests.unit.agent.collectors.trees import DOCKER_HOST, grow
from tests.waiting import until

SHOWN = """\
Type=forking
NRestarts=2
Id=nginx.service
LoadState=loaded
ActiveState=active
ControlGroup=/system.slice/nginx.service
CPUUsageNSec=4000000000

Type=oneshot
NRestarts=0
Id=systemd-sysctl.service
LoadState=loaded
ActiveState=active
ControlGroup=
CPUUsageNSec=18446744073709551615

Type=simple
NRestarts=7
Id=crashing.service
LoadState=loaded
ActiveState=activating
ControlGroup=
CPUUsageNSec=[not set]

Type=oneshot
NRestarts=0
Id=backup.service
LoadState=loaded
ActiveState=failed
ControlGroup=

Type=
Id=named-only.service
LoadState=not-found
ActiveState=inactive
"""


def unit(name: str, *, state: float = 1.0, kind: str = "simple", cpu_ns: int = 0) -> Unit:
    return Unit(name=name, kind=kind, state=state, restarts=0, group=f"/system.slice/{name}", cpu_ns=cpu_ns)


def by_name(*units: Unit) -> Units:
    return {one.name: one for one in units}


class Told:
    """A systemd that says what the test sets."""

    def __init__(self, units: Units) -> None:
        self.units = units
        self.asked = 0

    def __call__(self) -> Units:
        self.asked += 1
        return self.units


def test_what_systemctl_shows() -> None:
    units = systemctl.parse(SHOWN)

    assert units.keys() == {"nginx.service", "systemd-sysctl.service", "crashing.service", "backup.service"}
    assert units["nginx.service"] == Unit(
        "nginx.service", "forking", 1.0, 2, "/system.slice/nginx.service", 4_000_000_000
    )
    assert units["systemd-sysctl.service"].cpu_ns == units["crashing.service"].cpu_ns == 0
    assert [name for name, one in units.items() if one.serves] == ["nginx.service", "crashing.service"]
    assert [name for name, one in units.items() if one.failed] == ["backup.service"]


@given(st.text(max_size=300) | st.lists(st.sampled_from([*SHOWN.splitlines(), ""])).map("\n".join))
def test_whatever_systemctl_shows_is_read_without_an_error(text: str) -> None:
    for name, one in systemctl.parse(text).items():
        assert name == one.name
        assert 0 <= one.state <= 6
        assert one.restarts >= 0


def test_services_that_serve_and_those_that_failed_are_chosen() -> None:
    choice = ServiceChoice(show=lambda: systemctl.parse(SHOWN))

    assert [one.name for one in choice.at(0)] == ["backup.service", "crashing.service", "nginx.service"]


def test_of_many_the_busiest_are_chosen_and_no_more_failed_ones_than_are_worth_it() -> None:
    serving = [unit(f"s{number:03}", cpu_ns=number) for number in range(MAX_SERVICES + 20)]
    failed = [unit(f"f{number:03}", state=4.0) for number in range(MAX_FAILED + 20)]
    chosen = ServiceChoice(show=lambda: by_name(*serving, *failed)).at(0)

    assert [one.name for one in chosen if one.failed] == [f"f{number:03}" for number in range(MAX_FAILED)]
    assert [one.name for one in chosen if one.serves] == [f"s{number:03}" for number in range(20, MAX_SERVICES + 20)]


async def test_what_fails_is_told_at_once_and_what_is_stopped_stays() -> None:
    told = Told(by_name(unit("web"), unit("job", kind="oneshot", state=3.0)))
    choice = ServiceChoice(show=told)
    before = [one.name for one in choice.at(0)]
    told.units = by_name(unit("web", state=3.0), unit("job", kind="oneshot", state=4.0))
    choice.at(30)
    await until(lambda: len(choice.at(31)) == 2)
    after = choice.at(32)

    assert before == ["web"]
    assert [(one.name, one.state) for one in after] == [("job", 4.0), ("web", 3.0)]


async def test_a_service_that_systemd_forgets_is_told_as_gone() -> None:
    told = Told(by_name(unit("web"), unit("old")))
    choice = ServiceChoice(show=told)
    choice.at(0)
    told.units = by_name(unit("web"))
    choice.at(30)
    await until(lambda: choice.at(31)[0].group == "")

    assert choice.at(32)[0] == Unit.gone("old")


def collector(tmp_path: Path, units: Units) -> ServicesCollector:
    grow(tmp_path, DOCKER_HOST)
    return ServicesCollector(choice=ServiceChoice(show=lambda: units), booted=tmp_path, cgroups=tmp_path / "cgroup")


def test_a_service_uses_what_its_control_group_tells(tmp_path: Path) -> None:
    measuring = collector(tmp_path, systemctl.parse(SHOWN))
    first = measuring.collect(at(1))
    (tmp_path / "cgroup/system.slice/nginx.service/cpu.stat").write_text("usage_usec 7000000\n")
    second = measuring.collect(at(3))
    found = dict(zip(second.series, second.values, strict=True))

    assert first.series is second.series
    assert len(second.series) == 3 * 4
    assert found[catalog.METRIC_UNIT_STATE, ("backup.service",)] == 4.0
    assert found[catalog.METRIC_UNIT_RESTARTS, ("crashing.service",)] == 7.0
    assert found[catalog.METRIC_UNIT_CPU, ("nginx.service",)] == pytest.approx(1.5)
    assert found[catalog.METRIC_UNIT_MEMORY, ("nginx.service",)] == 8388608.0
    assert math.isnan(found[catalog.METRIC_UNIT_CPU, ("backup.service",)])


def test_a_service_that_was_started_anew_leaves_a_hole_and_no_spike(tmp_path: Path) -> None:
    measuring = collector(tmp_path, systemctl.parse(SHOWN))
    measuring.collect(at(1))
    (tmp_path / "cgroup/system.slice/nginx.service/cpu.stat").write_text("usage_usec 1000\n")
    found = measuring.collect(at(2))

    assert math.isnan(dict(zip(found.series, found.values, strict=True))[catalog.METRIC_UNIT_CPU, ("nginx.service",)])


def test_where_there_is_no_systemd_nothing_is_asked(tmp_path: Path) -> None:
    told = Told({})
    measuring = ServicesCollector(choice=ServiceChoice(show=told), booted=tmp_path / "none", cgroups=tmp_path)

    assert measuring.collect(at(1)) == Measured()
    assert told.asked == 0
