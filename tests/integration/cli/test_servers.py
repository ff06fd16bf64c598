"""Servers and how they join."""

import json

import pytest

from tests.integration.cli.command import User
from tests.integration.gateway.running import Gateway


async def test_the_servers_are_listed_with_their_state_over_all_pages(signed_in: User) -> None:
    outcome = await signed_in.flick("servers", "ls")

    lines = [line.split() for line in outcome.out.splitlines()]
    assert lines[0][:2] == ["NAME", "STATE"]
    assert [line[:2] for line in lines[1:]] == [["web-1", "online"], ["db-1", "online"], ["mail�[31m", "online"]]


async def test_the_list_as_json_is_one_document(signed_in: User) -> None:
    outcome = await signed_in.flick("servers", "ls", "--json")

    servers = json.loads(outcome.out)["servers"]
    assert [one["displayName"] for one in servers][:2] == ["web-1", "db-1"]
    assert servers[0]["state"] == "SERVER_STATE_ONLINE"
    assert servers[0]["lastSampleTime"].endswith("Z")


async def test_an_empty_list_says_what_to_do(signed_in: User, gateway: Gateway) -> None:
    gateway.backends.query.names.clear()
    outcome = await signed_in.flick("servers", "ls")

    assert "flick join-tokens create" in outcome.out


async def test_a_join_token_is_shown_as_the_command_to_run(signed_in: User, gateway: Gateway) -> None:
    outcome = await signed_in.flick("join-tokens", "create", "--name", "web-2", "--ttl", "30m")

    asked = gateway.backends.enrollment.asked[0]
    assert outcome.out == "flick-agent enroll https://flick.example:8080 flj_1_2_3_4\n"
    assert (asked.server_display_name, asked.ttl.seconds) == ("web-2", 1800)


async def test_a_join_token_as_json_holds_the_command_too(signed_in: User) -> None:
    outcome = await signed_in.flick("join-tokens", "create", "--json")

    answer = json.loads(outcome.out)
    assert answer["token"] == "flj_1_2_3_4"
    assert answer["command"].endswith(answer["token"])


@pytest.mark.parametrize("ttl", ["0s", "2h", "59s", "soon", "-5m"])
async def test_a_lifetime_that_no_token_may_have_is_wrong_usage(signed_in: User, ttl: str) -> None:
    outcome = await signed_in.flick("join-tokens", "create", "--ttl", ttl)

    assert outcome.code == 2
    assert "--ttl" in outcome.err
