"""What ingest says of itself while commits fail: one reason, with its fix, for as long as it lasts."""

import asyncio

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from flick.db.failures import to_flick_error
from flick.errors import FlickError
from services.ingest.metrics import IngestMetrics
from services.ingest.store import NotDurableError
from services.ingest.writing.condition import Condition, Trouble, trouble_of


def _as_told(error: Exception) -> FlickError:
    told = to_flick_error(error)
    assert told is not None
    return told


FULL = _as_told(asyncpg.DiskFullError("no space left"))
AWAY = _as_told(ConnectionRefusedError())
SLOW = _as_told(asyncpg.QueryCanceledError("statement timeout"))


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def condition(registry: CollectorRegistry) -> Condition:
    return Condition(metrics=IngestMetrics(registry=registry).commits)


def _shown(registry: CollectorRegistry) -> set[str]:
    """The reasons that /metrics shows now."""
    return {
        one.labels["reason"]
        for family in registry.collect()
        for one in family.samples
        if one.name == "flick_ingest_trouble" and one.value
    }


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (FULL, Trouble.DISK_FULL),
        (AWAY, Trouble.AWAY),
        (SLOW, Trouble.SLOW),
        (NotDurableError("fsync = off"), Trouble.NOT_DURABLE),
        (asyncpg.UndefinedTableError("x"), Trouble.OTHER),
    ],
    ids=["full", "away", "slow", "not durable", "anything else"],
)
def test_every_failure_has_a_reason(error: Exception, trouble: Trouble) -> None:
    assert trouble_of(error) is trouble


def test_one_reason_is_shown_at_a_time_and_none_after_a_success(
    condition: Condition, registry: CollectorRegistry
) -> None:
    shown = []
    for error in (AWAY, FULL, SLOW):
        condition.failed(error)
        shown.append(_shown(registry))
    condition.succeeded()

    assert shown == [{"database_away"}, {"database_disk_full"}, {"database_slow"}]
    assert (_shown(registry), condition.failures) == (set(), 0)


def test_a_database_that_went_away_with_its_disk_full_stays_so(
    condition: Condition, registry: CollectorRegistry
) -> None:
    condition.failed(FULL)
    condition.failed(AWAY)

    assert _shown(registry) == {"database_disk_full"}


def test_a_reason_is_logged_once_with_its_fix(condition: Condition, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(5):
        condition.failed(FULL)
    errors = [record for record in caplog.records if record.levelname == "ERROR"]

    assert [record.__dict__["reason"] for record in errors] == ["database_disk_full"]
    assert "Free space" in errors[0].__dict__["fix"]


def test_a_setting_that_is_not_durable_is_named_when_another_one_was_mended(
    condition: Condition, caplog: pytest.LogCaptureFixture
) -> None:
    for setting in ("fsync", "fsync", "synchronous_commit", "synchronous_commit"):
        condition.failed(NotDurableError(f"{setting} = off"))
    errors = [record for record in caplog.records if record.levelname == "ERROR"]

    assert [record.__dict__["why"] for record in errors] == ["fsync = off", "synchronous_commit = off"]


async def test_who_listens_is_told_at_once_and_on_every_change(condition: Condition) -> None:
    heard: asyncio.Queue[bool] = asyncio.Queue()
    task = asyncio.create_task(condition.tell(heard.put))
    told = [await heard.get()]
    condition.failed(AWAY)
    told.append(await heard.get())
    condition.succeeded()
    told.append(await heard.get())
    task.cancel()

    assert told == [True, False, True]
