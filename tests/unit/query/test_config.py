"""What query is told of FLick's processes."""

import dataclasses

import pytest

from flick.config import ConfigError, load
from services.ingest.config import IngestConfig
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


def test_lifetimes_are_told_as_ingest_is_told_them() -> None:
    told = {
        "FLICK_INGEST_PROCESSES_RETENTION_DAYS": "5",
        "FLICK_INGEST_ROLLUPS_1M_RETENTION_DAYS": "6",
        "FLICK_INGEST_ROLLUPS_1H_RETENTION_DAYS": "7",
        "FLICK_INGEST_ROLLUPS_1D_RETENTION_DAYS": "8",
    }
    days = load(QueryConfig, environ={**NEEDED, **told}).lifetimes().by_table([3, 9])

    assert {table: seconds / 86_400 for table, seconds in days.items()} == {
        "sealed_metrics": 6,
        "sealed_processes": 4,  # of the first server only as long as its samples
        "rollups_1m": 6,
        "rollups_1h": 7,
        "rollups_1d": 8,
    }


def test_without_settings_lifetimes_are_ingest_s_own() -> None:
    ingest = {field.metadata["setting"]: field.default for field in dataclasses.fields(IngestConfig)}
    query = {field.metadata["setting"]: field.default for field in dataclasses.fields(QueryConfig)}
    shared = {name for name in query if name.startswith("FLICK_INGEST_")}

    assert len(shared) == 4
    assert {name: query[name] for name in shared} == {name: ingest[name] for name in shared}
