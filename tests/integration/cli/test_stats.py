"""`flick stats` before a gateway."""

import json

from flick.v1 import stats_pb2
from tests.integration.cli.command import User
from tests.integration.gateway.running import Gateway


async def test_it_shows_agents_and_installation(signed_in: User, gateway: Gateway) -> None:
    stats = gateway.backends.stats
    stats.answer = stats_pb2.GetStatsResponse(
        agents=stats_pb2.AgentStats(known_count=3, connected_count=2),
        installation=stats_pb2.InstallationStats(
            database=stats_pb2.DatabaseStats(
                total_bytes=2**40, forecast=stats_pb2.DatabaseForecast(absent_reason="too early")
            ),
            services=[
                stats_pb2.ServiceStats(service="query", known_by="itself", health=stats_pb2.SERVICE_HEALTH_SERVING)
            ],
        ),
    )
    outcome = await signed_in.flick("stats")
    lines = [" ".join(line.split()) for line in outcome.out.splitlines()]

    assert (outcome.code, outcome.err) == (0, "")
    assert "connected 2 of 3 that sent within 90 days" in lines
    assert "size 1.0 TiB" in lines
    assert "forecast too early" in lines
    assert "query serving - - - - itself" in lines


async def test_who_may_see_only_agents_is_shown_only_these(signed_in: User, gateway: Gateway) -> None:
    gateway.backends.stats.answer = stats_pb2.GetStatsResponse(agents=stats_pb2.AgentStats(known_count=1))
    outcome = await signed_in.flick("stats", "--organization", "019a0000-0000-7000-8000-000000000009")

    assert outcome.code == 0
    assert "PROCESS" not in outcome.out
    assert [one.organization_id for one in gateway.backends.stats.asked] == ["019a0000-0000-7000-8000-000000000009"]


async def test_as_json_it_is_the_api_s_answer(signed_in: User, gateway: Gateway) -> None:
    gateway.backends.stats.answer = stats_pb2.GetStatsResponse(
        installation=stats_pb2.InstallationStats(database=stats_pb2.DatabaseStats(total_bytes=2**53 + 1))
    )
    outcome = await signed_in.flick("stats", "--json")

    assert json.loads(outcome.out)["installation"]["database"]["totalBytes"] == str(2**53 + 1)
