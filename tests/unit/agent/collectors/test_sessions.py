"""Who is logged in, by utmp and by systemd-logind."""

import os
from pathlib import Path

import pytest

from agent.collectors.system import sessions
from agent.collectors.system.sessions import SessionsCollector
from flick.v1 import catalog_pb2 as catalog
from tests.unit.agent.collectors.machines import utmp
from tests.unit.agent.collectors.moments import at
from tests.unit.agent.collectors.trees import grow


def count(collector: SessionsCollector) -> float | None:
    return collector.collect(at(1)).core.get(catalog.METRIC_SESSION_COUNT)


@pytest.mark.parametrize("record_bytes", [384, 400])
@pytest.mark.parametrize("types", [(), (2, 1, 6), (2, 7, 7, 8), (7,) * 25, (0,) * 24])
def test_records_of_people_are_counted_whatever_size_they_have(types: tuple[int, ...], record_bytes: int) -> None:
    assert sessions.parse_utmp(utmp(*types, record_bytes=record_bytes)) == types.count(7)


def test_what_is_no_utmp_is_an_error() -> None:
    with pytest.raises(ValueError, match="no utmp"):
        sessions.parse_utmp(b"\xff" * 384)


def test_who_comes_and_goes_is_noticed(tmp_path: Path) -> None:
    collector = SessionsCollector(run=tmp_path)
    found = []
    for number, types in enumerate([(7,), (7, 7), (8, 7), (8, 8)]):
        (tmp_path / "utmp").write_bytes(utmp(*types))
        os.utime(tmp_path / "utmp", ns=(number, number))
        found.append(count(collector))

    assert found == [1, 2, 1, 0]


def test_without_utmp_the_sessions_of_logind_are_counted_that_are_people_s(tmp_path: Path) -> None:
    grow(
        tmp_path / "systemd/sessions",
        {
            "1": "UID=1000\nSTATE=active\nCLASS=user",
            "2": "UID=1000\nSTATE=online\nCLASS=user-early",
            "3": "UID=1000\nSTATE=closing\nCLASS=user",
            "4": "UID=1000\nSTATE=active\nCLASS=manager",
            "c1": "UID=42\nSTATE=active\nCLASS=greeter",
            "1.ref": "",
        },
    )

    assert count(SessionsCollector(run=tmp_path)) == 2


def test_where_nobody_keeps_a_list_nothing_is_told(tmp_path: Path) -> None:
    assert count(SessionsCollector(run=tmp_path)) is None
