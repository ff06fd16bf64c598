"""Ingest's settings: what is refused, naming the setting and what it may be."""

import pytest

from flick.config import ConfigError, load
from services.ingest.config import IngestConfig

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


@pytest.mark.parametrize("seconds", [0, 86_400])
def test_from_at_once_to_a_day_hours_may_wait_to_be_sealed(seconds: int) -> None:
    config = load(IngestConfig, environ={**NEEDED, "FLICK_INGEST_SEAL_AFTER_S": str(seconds)})

    assert config.seal_after_s == seconds
