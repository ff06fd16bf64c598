"""The state of the fleet as its viewers see it."""

import pytest

from flick.errors import Kind
from flick.ids import new_id
from flick.v1 import query_pb2
from tests.integration.query.house import SECOND_US, QueryHouse, now_us, refusal
from tests.integration.query.telemetry import sample
from tests.tiny_auth import Metadata


async def _summary(
    house: QueryHouse, metadata: Metadata, organization_id: str = ""
) -> query_pb2.SummarizeServersResponse:
    request = query_pb2.SummarizeServersRequest(organization_id=organization_id)
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
