"""What FLick knows of itself, as the terminal shows it."""

from collections.abc import Sequence
from typing import Any

import pytest
from rich.text import Text

from flick.cli.stats import agent_rows, database_rows, installation_rows, service_rows, table_rows

NOW_S = 1_700_000_000.0  # 2023-11-14T22:13:20Z
GIB = 2**30


def words(rows: Sequence[Sequence[Text | str]]) -> dict[str, str]:
    return {str(row[0]): " | ".join(cell.plain if isinstance(cell, Text) else cell for cell in row[1:]) for row in rows}


def test_agents_are_told_with_their_versions_and_what_waits() -> None:
    found = words(
        agent_rows(
            {
                "knownCount": 12,
                "connectedCount": 10,
                "versions": [{"version": "1.2.0", "count": 9}, {"version": "1.1.0\x1b[2J", "count": 1}],
                "lag": {"agentCount": 10, "p50": "0.120s", "p99": "1.5s", "max": "90s"},
                "spools": {
                    "heldSamples": "720",
                    "heldBytes": "2048",
                    "oldestTime": "2023-11-14T21:13:20Z",
                    "oldestServerId": "019a",
                    "degradedCount": 2,
                },
            },
            now_s=NOW_S,
        )
    )

    assert found == {
        "connected": "10 of 12 that sent within 90 days",
        "versions": "1.2.0 on 9, 1.1.0\ufffd[2J on 1",
        "lag": "p50 120 ms, p99 1.5 s, max 90 s",
        "in spools": "720 samples (2.0 KiB), the oldest 60 min old, on server 019a",
        "spools": "2 agents keep samples in memory only",
    }


def test_without_the_database_that_is_said() -> None:
    assert words(agent_rows(None, now_s=NOW_S)) == {"connected": "not known: the database does not answer"}
    assert words(database_rows({"trouble": "The database is busy."}, now_s=NOW_S)) == {
        "trouble": "The database is busy."
    }


def test_the_installation_in_words() -> None:
    found = words(
        installation_rows(
            {
                "versions": {
                    "flick": "0.1.0",
                    "postgresql": "17.6",
                    "timescaledb": "2.19.3",
                    "timescaledbLicense": "apache",
                    "redis": "8.0.2",
                    "schemas": [{"schema": "auth", "number": 9}, {"schema": "telemetry", "number": 11}],
                },
                "ingest": {
                    "processes": [{"streamCount": 3}, {"streamCount": 4}],
                    "samplesPerSecond": 1.4,
                    "commitLagP50": "0.2s",
                    "commitLagP99": None,
                    "heldBytes": "0",
                    "troubles": ["disk_full"],
                },
                "gateway": {"requestsPerSecond": 0, "requestP99": "0.025s", "liveSocketCount": 2},
                "housekeeping": {
                    "unsealedHourCount": 1,
                    "oldestUnsealedTime": "2023-11-14T21:00:00Z",
                    "unrolledHourCount": 5,
                    "retentionBehind": "7300s",
                },
                "redis": {"usedBytes": "1048576", "maxBytes": "134217728", "keyCount": "3", "ping": "0.0002s"},
            },
            now_s=NOW_S,
        )
    )

    assert found == {
        "versions": "FLick 0.1.0, PostgreSQL 17.6, TimescaleDB 2.19.3 (apache), Redis 8.0.2",
        "schemas": "auth 0009, telemetry 0011",
        "ingest": "7 streams in 2 processes, 1.4 samples/s, commit lag p50 200 ms, 0 B held",
        "gateway": "0 requests/s, p99 25 ms, 2 live sockets",
        "waiting": "1 hours to be sealed (the oldest began 73 min ago), 5 hours of servers to be rolled up, "
        "2 h behind with taking old data away",
        "redis": "1.0 MiB of 128 MiB, 3 keys, 0 evicted, 0 clients, ping 0.2 ms",
        "trouble": "commits fail: disk_full",
    }


@pytest.mark.parametrize(
    ("forecast", "disk", "told"),
    [
        (
            {"daysUntilFull": 12.4},
            {"freeBytes": str(GIB), "totalBytes": str(4 * GIB)},
            "1.0 GiB of 4.0 GiB free, full in 12 days",
        ),
        (
            {"daysUntilFull": None},
            {"freeBytes": str(GIB), "totalBytes": str(4 * GIB)},
            "1.0 GiB of 4.0 GiB free, enough for all that is foreseen",
        ),
        ({"absentReason": "too early"}, {"freeBytes": str(GIB), "totalBytes": str(GIB)}, "1.0 GiB of 1.0 GiB free"),
        ({"daysUntilFull": None}, None, "not known: the database lies on another machine"),
    ],
    ids=["full soon", "never full", "too early to say", "elsewhere"],
)
def test_the_disk_and_when_it_is_full(forecast: dict[str, Any], disk: dict[str, Any] | None, told: str) -> None:
    found = words(database_rows({"totalBytes": "5", "forecast": forecast, "disk": disk}, now_s=NOW_S))

    assert found["disk"] == told


def test_tables_that_grow_tell_how_fast_and_how_far() -> None:
    rows = table_rows(
        {
            "tables": [
                {
                    "schema": "telemetry",
                    "table": "sealed_metrics",
                    "totalBytes": "2048",
                    "rowEstimate": "7",
                    "chunkCount": 2,
                },
                {"schema": "telemetry", "table": "streams", "totalBytes": "1024", "rowEstimate": "1", "chunkCount": 0},
            ],
            "forecast": {
                "parts": [
                    {
                        "table": "sealed_metrics",
                        "growthBytesPerDay": 1024.0,
                        "finalBytes": "30720",
                        "measuredOver": "86400s",
                    }
                ]
            },
        }
    )

    assert rows == [
        ("telemetry.sealed_metrics", "2.0 KiB", "7", "2", "1.0 KiB", "30.0 KiB"),
        ("telemetry.streams", "1.0 KiB", "1", "-", "-", "-"),
    ]


def test_a_process_that_does_not_answer_says_why() -> None:
    found = words(
        service_rows(
            {
                "services": [
                    {
                        "service": "ingest",
                        "knownBy": "127.0.0.1:1",
                        "health": "SERVICE_HEALTH_UNREACHABLE",
                        "healthReason": "refused\x1b[2J",
                        "processCount": 4,
                    },
                    {
                        "service": "query",
                        "knownBy": "itself",
                        "health": "SERVICE_HEALTH_SERVING",
                        "version": "0.1.0",
                        "startTime": "2023-11-14T22:12:20Z",
                        "cpuUsage": 0.05,
                        "residentBytes": str(50 * 2**20),
                    },
                ]
            },
            now_s=NOW_S,
        )
    )

    assert found == {
        "ingest in 4 processes": "unreachable: refused\ufffd[2J | - | - | - | - | 127.0.0.1:1",
        "query": "serving | 0.1.0 | 60 s | 5.0 % | 50.0 MiB | itself",
    }
