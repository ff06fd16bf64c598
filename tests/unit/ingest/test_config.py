"""Ingest's settings: what is refused, naming the setting and what it may be."""

import pytest

from flick.config import ConfigError, load
from services.ingest.config import IngestConfig
from services.ingest.retention.lifetimes import Lifetimes

NEEDED = {
    "FLICK_INGEST_DATABASE_URL": "postgresql://flick_ingest@localhost/flick",
    "FLICK_REDIS_URL": "redis://localhost",
    "FLICK_AUTH_ADDRESS": "localhost:1",
    "FLICK_INGEST_SERVICE_SECRET": "secret",
}


@pytest.mark.parametrize("seconds", [-1, 86_401])
def test_hours_that_are_not_over_are_never_sealed_and_rows_do_not_pile_up(seconds: int) -> None:
    with pytest.raises(ConfigError, match=r"FLICK_INGEST_SEAL_AFTER_S is .* must be 0 to 86400"):
        load(IngestConfig, environ={**NEEDED, "FLICK_INGEST_SEAL_AFTER_S": str(seconds)})


@pytest.mark.parametrize("name", ["PROCESSES", "ROLLUPS_1M", "ROLLUPS_1H", "ROLLUPS_1D"])
@pytest.mark.parametrize("days", [0, 36_501])
def test_a_lifetime_that_is_none_is_refused_by_its_name(name: str, days: int) -> None:
    with pytest.raises(ConfigError, match=rf"FLICK_INGEST_{name}_RETENTION_DAYS is {days}, but must be 1 to 36500"):
        load(IngestConfig, environ={**NEEDED, f"FLICK_INGEST_{name}_RETENTION_DAYS": str(days)})


def test_coarser_rollups_are_kept_as_long_as_finer_ones() -> None:
    with pytest.raises(ConfigError, match=r"90 .* 7 .* 3650 days .* as long or longer"):
        load(IngestConfig, environ={**NEEDED, "FLICK_INGEST_ROLLUPS_1H_RETENTION_DAYS": "7"})


def test_lifetimes_are_those_of_the_settings() -> None:
    days = {"PROCESSES": "1", "ROLLUPS_1M": "2", "ROLLUPS_1H": "3", "ROLLUPS_1D": "4"}
    set_days = {f"FLICK_INGEST_{name}_RETENTION_DAYS": one for name, one in days.items()}
    config = load(IngestConfig, environ={**NEEDED, **set_days})

    assert config.lifetimes() == Lifetimes(processes_days=1, minutes_days=2, hours_days=3, days_days=4)
    assert load(IngestConfig, environ=NEEDED).lifetimes() == Lifetimes()


@pytest.mark.parametrize("seconds", [0, 86_400])
def test_from_at_once_to_a_day_hours_may_wait_to_be_sealed(seconds: int) -> None:
    config = load(IngestConfig, environ={**NEEDED, "FLICK_INGEST_SEAL_AFTER_S": str(seconds)})

    assert config.seal_after_s == seconds
