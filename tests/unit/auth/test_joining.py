"""Join tokens' lifetimes, hosts' names, and why a token is refused."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration

from flick.errors import FlickError, Kind
from flick.v1 import servers_pb2
from services.auth.rules import joining


@pytest.mark.parametrize(
    ("asked", "lifetime"),
    [
        (None, timedelta(hours=1)),
        (Duration(seconds=60), timedelta(minutes=1)),
        (Duration(seconds=3600), timedelta(hours=1)),
    ],
)
def test_a_join_token_lives_as_long_as_asked(asked: Duration | None, lifetime: timedelta) -> None:
    assert joining.time_to_live(asked) == lifetime


@pytest.mark.parametrize(
    "asked",
    [
        Duration(),
        Duration(seconds=59, nanos=999_999_999),
        Duration(seconds=3600, nanos=1),
        Duration(seconds=-1),
        Duration(seconds=2**62),
    ],
)
def test_a_lifetime_out_of_range_is_named(asked: Duration) -> None:
    with pytest.raises(FlickError) as caught:
        joining.time_to_live(asked)

    assert caught.value.violations[0].field == "ttl"


@pytest.mark.parametrize(
    ("wanted", "hostname", "name"), [("db", "h", "db"), ("", "h", "h"), ("", "", "server"), ("", "h" * 253, "h" * 100)]
)
def test_a_new_server_has_a_name(wanted: str, hostname: str, name: str) -> None:
    assert joining.server_name(wanted=wanted, host=servers_pb2.Host(hostname=hostname)) == name


@pytest.mark.parametrize("fact", ["hostname", "os_type", "os_description", "arch"])
def test_a_fact_of_the_host_that_is_no_plain_text_is_named(fact: str) -> None:
    for text in ("x" * 254, "a\nb"):
        with pytest.raises(FlickError) as caught:
            joining.checked_host(servers_pb2.Host(**{fact: text}))

        assert caught.value.violations[0].field == f"host.{fact}"


@pytest.mark.parametrize(
    ("right", "used", "reason"),
    [
        (True, True, "JOIN_TOKEN_USED"),
        (True, False, "JOIN_TOKEN_EXPIRED"),
        (False, True, "JOIN_TOKEN_INVALID"),
        (False, False, "JOIN_TOKEN_INVALID"),
    ],
)
def test_only_who_has_the_secret_learns_why_a_token_is_refused(right: bool, used: bool, reason: str) -> None:
    error = joining.refusal(secret_is_right=right, use_time=datetime.now(UTC) if used else None)

    assert (error.kind, error.reason) == (Kind.UNAUTHENTICATED, reason)
