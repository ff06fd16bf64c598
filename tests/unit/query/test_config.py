"""What query is told of FLick's processes."""

import pytest

from flick.config import ConfigError, load
from services.query.config import QueryConfig
from services.query.stats.targets import Target

NEEDED = {
    "FLICK_QUERY_DATABASE_URL": "postgresql://localhost/flick",
    "FLICK_REDIS_URL": "redis://localhost",
    "FLICK_AUTH_ADDRESS": "127.0.0.1:1",
    "FLICK_QUERY_SERVICE_SECRET": "secret",
}


def test_processes_are_told_in_one_setting() -> None:
    told = {"FLICK_QUERY_METRICS_TARGETS": "auth=127.0.0.1:9101, ingest=127.0.0.1:9102"}
    config = load(QueryConfig, environ={**NEEDED, **told})

    assert config.targets() == [Target("auth", "127.0.0.1:9101"), Target("ingest", "127.0.0.1:9102")]


def test_by_default_nobody_operates_the_installation_and_no_process_is_known() -> None:
    config = load(QueryConfig, environ=NEEDED)

    assert (config.operator_organization_id, config.targets(), config.database_dir) == ("", [], None)


def test_a_process_that_is_told_wrong_is_named() -> None:
    config = load(QueryConfig, environ={**NEEDED, "FLICK_QUERY_METRICS_TARGETS": "auth"})
    with pytest.raises(ConfigError, match="FLICK_QUERY_METRICS_TARGETS: 'auth' is no process"):
        config.targets()
