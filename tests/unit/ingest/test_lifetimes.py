"""From before which moment what is stored of a server is to go."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.ids import new_id, pushed_source
from flick.v1 import access_pb2
from services.ingest.retention.lifetimes import DELETED_KEPT_DAYS, Lifetimes, expiries

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
TABLES = ("sealed_processes", "sealed_metrics", "rollups_1m", "rollups_1h", "rollups_1d")
LIFETIMES = Lifetimes(processes_days=14, minutes_days=90, hours_days=730, days_days=3650)


def kept(days: int = 0, *, deleted: datetime | None = None) -> access_pb2.ServerRetention:
    server = access_pb2.ServerRetention(server_id=str(new_id()), retention_days=days)
    if deleted is not None:
        server.delete_time.FromDatetime(deleted)
    return server


def days_of(server: access_pb2.ServerRetention) -> dict[str, float]:
    """How many days each table keeps of the only server that is told."""
    found = expiries([server], LIFETIMES, now=NOW)
    server_id = uuid.UUID(server.server_id)
    assert all(of_table.keys() == {server_id, pushed_source(server_id)} for of_table in found.values())
    assert all(len(set(of_table.values())) == 1 for of_table in found.values())
    return {table: (NOW - of_table[server_id]) / timedelta(days=1) for table, of_table in found.items()}


def test_samples_go_by_their_servers_setting_and_rollups_by_those_of_the_installation() -> None:
    assert days_of(kept(30)) == dict(zip(TABLES, (14, 30, 90, 730, 3650), strict=True))


@given(st.integers(1, 3650))
def test_processes_are_never_kept_longer_than_samples(days: int) -> None:
    found = days_of(kept(days))

    assert found["sealed_metrics"] == days
    assert found["sealed_processes"] == min(days, 14)


@pytest.mark.parametrize("days", [-1, 0, 3651, 2**31 - 1])
def test_a_lifetime_that_cannot_be_takes_nothing_away(days: int) -> None:
    assert expiries([kept(days)], LIFETIMES, now=NOW) == {}


def test_nobody_told_takes_nothing_away_and_neither_does_who_has_no_id() -> None:
    assert expiries([], LIFETIMES, now=NOW) == {}
    assert expiries([access_pb2.ServerRetention(server_id="all", retention_days=1)], LIFETIMES, now=NOW) == {}


@pytest.mark.parametrize("days", [0, 1, DELETED_KEPT_DAYS - 0.01, -5])
def test_a_server_that_was_deleted_just_now_is_kept(days: float) -> None:
    assert expiries([kept(deleted=NOW - timedelta(days=days))], LIFETIMES, now=NOW) == {}


@pytest.mark.parametrize("days", [DELETED_KEPT_DAYS, 5000])
def test_everything_of_a_server_that_was_deleted_a_while_ago_goes(days: float) -> None:
    assert days_of(kept(deleted=NOW - timedelta(days=days))) == dict.fromkeys(TABLES, 1)
