"""The state of the fleet as its viewers see it."""

from typing import Any

import pytest

from flick.errors import Kind
from flick.ids import new_id
from flick.v1 import query_pb2
from tests.integration.query.house import SECOND_US, QueryHouse, now_us, refusal
from tests.integration.query.telemetry import sample
from tests.tiny_auth import Metadata


async def _summary(
    house: QueryHouse, metadata: Metadata, organization_id: str = "", **fields: Any
) -> query_pb2.SummarizeServersResponse:
    request = query_pb2.SummarizeServersRequest(organization_id=organization_id, **fields)
    return await house.query.SummarizeServers(request, metadata=metadata)


@pytest.mark.usefixtures("lying")
async def test_each_server_has_the_state_of_its_newest_sample_wherever_that_is(house: QueryHouse) -> None:
    organization_id = str(new_id())
    _, metadata = house.auth.person(organization_id=organization_id)
    cached, stored, late, offline, never, slow = (
        house.auth.server(organization_id=organization_id, interval_s=interval_s) for interval_s in (5, 5, 5, 5, 5, 300)
    )
    now = now_us()
    await house.telemetry.announce(cached, sample(now))
    await house.telemetry.announce(stored, sample(now - 3600 * SECOND_US))
    await house.telemetry.store(stored, [sample(now)])
    await house.telemetry.announce(late, sample(now - 30 * SECOND_US))
    await house.telemetry.store(offline, [sample(now - 40 * 86_400 * SECOND_US)])
    await house.telemetry.announce(slow, sample(now - 600 * SECOND_US))
    await house.knows(slow, metadata)

    answer = await _summary(house, metadata)

    states = {
        one.server_id: query_pb2.ServerState.Name(one.state).removeprefix("SERVER_STATE_") for one in answer.servers
    }
    assert states == {
        cached: "ONLINE",
        stored: "ONLINE",
        late: "LATE",
        offline: "OFFLINE",
        never: "NEVER_SEEN",
        slow: "ONLINE",
    }
    assert (answer.online_count, answer.late_count, answer.offline_count, answer.never_seen_count) == (3, 1, 1, 1)
    assert [one.server_id for one in answer.servers] == sorted(states)
    times = {one.server_id: one.last_sample_time.ToMicroseconds() for one in answer.servers}
    assert times[stored] == now
    assert times[never] == 0


async def test_servers_of_others_are_not_counted(house: QueryHouse) -> None:
    mine, other, foreign = (str(new_id()) for _ in range(3))
    user_id, metadata = house.auth.person(organization_id=mine)
    house.auth.person(organization_id=other, user_id=user_id)
    servers = {one: house.auth.server(organization_id=one) for one in (mine, foreign, other)}
    await house.knows(servers[other], metadata)

    both = await _summary(house, metadata)
    one = await _summary(house, metadata, other)
    error = await refusal(_summary(house, metadata, foreign))

    assert {status.server_id for status in both.servers} == {servers[mine], servers[other]}
    assert [status.server_id for status in one.servers] == [servers[other]]
    assert error.kind is Kind.NOT_FOUND


async def test_somebody_without_servers_has_an_empty_summary(house: QueryHouse) -> None:
    _, metadata = house.auth.person(organization_id=str(new_id()))

    answer = await _summary(house, metadata)

    assert answer == query_pb2.SummarizeServersResponse()


async def test_a_server_that_is_not_online_has_its_reason(house: QueryHouse) -> None:
    stopped, silent, online = [await house.server() for _ in range(3)]
    await house.telemetry.store(stopped, [sample(now_us() - 600 * SECOND_US)])
    await house.telemetry.announce(online, sample(now_us()))
    await house.telemetry.connection.execute(
        "insert into telemetry.streams (server_id, organization_id, stream_id, instance_id, spool_id, agent_version, "
        "opened_at, said_hello_at, ended_at, end_reason) "
        "values ($1, $2, $3, $3, 's', '1', now() - interval '1 h', now(), now() - interval '10 min', 'client')",
        stopped,
        house.organization_id,
        new_id(),
    )

    reasons = {one.server_id: one.reason for one in (await _summary(house, house.metadata)).servers}

    assert reasons[stopped] == "no sample for 10 min; its agent stopped 10 min ago"
    assert reasons[silent] == "it never sent a sample; its agent never connected"
    assert reasons[online] == ""


async def test_a_filter_is_answered_by_auth_and_states_choose_who_is_listed(house: QueryHouse) -> None:
    one, other = await house.server(), await house.server()
    await house.telemetry.announce(one, sample(now_us()))
    house.auth.matches["tags:web"] = [one, other]
    never = [query_pb2.SERVER_STATE_NEVER_SEEN]

    answer = await _summary(house, house.metadata, filter="tags:web", states=never)
    error = await refusal(_summary(house, house.metadata, filter="tags:"))

    assert (answer.total_count, answer.online_count, answer.never_seen_count) == (2, 1, 1)
    assert [status.server_id for status in answer.servers] == [other]
    assert (error.kind, error.public) == (Kind.INVALID_ARGUMENT, "filter: at character 1: no.")
