"""Join tokens' lifetimes, hosts' names, and why a token is refused."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp

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


@pytest.mark.parametrize("fact", joining.FACTS)
def test_a_fact_of_the_host_that_is_no_plain_text_is_named(fact: str) -> None:
    for text in ("x" * 254, "a\nb"):
        with pytest.raises(FlickError) as caught:
            joining.checked_host(ParseDict({fact: text}, servers_pb2.Host()))

        assert caught.value.violations[0].field == f"host.{fact}"


def test_every_text_of_the_contract_is_checked() -> None:
    fields = servers_pb2.Host.DESCRIPTOR.fields
    texts = {one.name for one in fields if one.type == one.TYPE_STRING and not one.is_repeated}

    assert set(joining.FACTS) == texts


@pytest.mark.parametrize(
    ("host", "field"),
    [
        (servers_pb2.Host(addresses=["192.0.2.1"] * 33), "host.addresses"),
        (servers_pb2.Host(addresses=["192.0.2.1", "localhost"]), "host.addresses"),
        (servers_pb2.Host(boot_time=Timestamp(seconds=-1)), "host.boot_time"),
        (servers_pb2.Host(boot_time=Timestamp(seconds=2**40)), "host.boot_time"),
        (servers_pb2.Host(memory_limit=2**63), "host.memory_limit"),
    ],
    ids=["too many", "no address", "before 1970", "after 9999", "too much"],
)
def test_a_fact_that_can_not_be_is_refused(host: servers_pb2.Host, field: str) -> None:
    with pytest.raises(FlickError) as caught:
        joining.checked_host(host)

    assert caught.value.violations[0].field == field


def test_addresses_are_kept_in_their_shortest_form() -> None:
    host = servers_pb2.Host(addresses=["2001:0db8::0001%eth0", "192.0.2.1"])

    assert list(joining.checked_host(host).addresses) == ["2001:db8::1", "192.0.2.1"]


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
