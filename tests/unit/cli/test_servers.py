"""How a server is found by what people call it."""

from typing import Any

import pytest

from flick.cli.failure import CliError, ExitCode
from flick.cli.join_tokens import parse_ttl_s
from flick.cli.servers import age, find_server, parse_time

SERVERS: list[dict[str, Any]] = [
    {"serverId": "019a-1", "displayName": "web", "host": {"hostname": "web.example"}},
    {"serverId": "019a-2", "displayName": "db", "host": {"hostname": "same.example"}},
    {"serverId": "019b-3", "displayName": "DB-old", "host": {"hostname": "same.example"}},
    {"serverId": "019c-4", "displayName": "019a-1", "host": None},
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("019a-1", "019a-1"), ("WEB", "019a-1"), ("web.example", "019a-1"), ("db-OLD", "019b-3"), ("019b", "019b-3")],
)
def test_a_server_is_found_by_id_name_host_or_the_beginning_of_its_id(wanted: str, found: str) -> None:
    assert find_server(SERVERS, wanted)["serverId"] == found


def test_a_name_of_two_servers_is_told_with_their_ids() -> None:
    with pytest.raises(CliError, match="names 2 servers.*019a-2, 019b-3") as refused:  # noqa: RUF043 - a pattern
        find_server(SERVERS, "same.example")

    assert refused.value.code is ExitCode.USAGE


def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(CliError, match="flick servers ls") as refused:
        find_server(SERVERS, "nowhere")

    assert refused.value.code is ExitCode.NOT_FOUND_OR_DENIED


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:10Z", 10.0),
        ("1970-01-01T00:00:10.5Z", 10.5),
        ("1970-01-01T00:00:10.123456789Z", 10.123456789),
        (None, None),
    ],
)
def test_times_of_the_api_are_read(text: str | None, seconds: float | None) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0 s"), (2.4, "2 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172_800, "2 d"), (864_000, "10 d")],
)
def test_ages_are_short(seconds: float, words: str) -> None:
    assert age(seconds) == words


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h", 3600), ("60m", 3600), ("1m", 60)])
def test_lifetimes_are_read(text: str, seconds: int) -> None:
    assert parse_ttl_s(text) == seconds
