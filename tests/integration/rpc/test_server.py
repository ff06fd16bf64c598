"""What every server does with every call: access, errors, deadlines, a graceful stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from flick.errors import FlickError, Kind, invalid
from flick.rpc.client import open_channel
from flick.rpc.faults import INTERNAL_TEXT
from flick.rpc.server import OPTIONS, serve
from flick.rpc.status import from_rpc_error
from flick.v1 import query_pb2, query_pb2_grpc
from tests.integration.rpc.conftest import House
from tests.waiting import eventually


async def call(
    house: House, channel: grpc.aio.Channel, *, server: str | None = None, token: str | None = None
) -> query_pb2.GetLatestMetricsResponse:
    metadata = house.metadata() if token is None else (("authorization", f"Bearer {token}"),)
    stub: query_pb2_grpc.QueryServiceAsyncStub = query_pb2_grpc.QueryServiceStub(channel)
    request = query_pb2.GetLatestMetricsRequest(server_id=house.server if server is None else server)
    try:
        return await stub.GetLatestMetrics(request, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error


async def answer(request: Any, context: Any) -> query_pb2.GetLatestMetricsResponse:
    return query_pb2.GetLatestMetricsResponse(values=[query_pb2.MetricValue(name="x", value=1)])


async def test_a_member_sees_what_their_organization_owns(house: House, channel: grpc.aio.Channel) -> None:
    house.servicer.behaviour = answer

    assert (await call(house, channel)).values[0].name == "x"


async def test_a_foreign_server_answers_as_an_unknown_one(house: House, channel: grpc.aio.Channel) -> None:
    house.servicer.behaviour = answer
    refusals = []
    for server in [house.foreign_server, house.user, "no-id", house.server.upper()]:
        with pytest.raises(FlickError) as refusal:
            await call(house, channel, server=server)
        refusals.append((refusal.value.kind, refusal.value.public))

    assert refusals == [(Kind.NOT_FOUND, "There is no such server.")] * 4


async def test_a_request_that_names_no_server_is_told_so(house: House, channel: grpc.aio.Channel) -> None:
    stub: query_pb2_grpc.QueryServiceAsyncStub = query_pb2_grpc.QueryServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await stub.WatchMetrics(query_pb2.WatchMetricsRequest(), metadata=house.metadata()).read()

    assert from_rpc_error(refusal.value).violations[0].field == "server_ids"


async def test_one_foreign_server_in_a_list_refuses_the_whole_list(house: House, channel: grpc.aio.Channel) -> None:
    stub: query_pb2_grpc.QueryServiceAsyncStub = query_pb2_grpc.QueryServiceStub(channel)
    request = query_pb2.WatchMetricsRequest(server_ids=[house.server, house.foreign_server])
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await stub.WatchMetrics(request, metadata=house.metadata()).read()

    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND


async def test_without_a_credential_nobody_gets_in(house: House, channel: grpc.aio.Channel) -> None:
    for token in ["", "x", "a.b.c", "flk_1_2_3", "x" * 30_000]:
        with pytest.raises(FlickError) as refusal:
            await call(house, channel, token=token)

        assert refusal.value.kind is Kind.UNAUTHENTICATED


async def test_a_service_may_call_only_what_is_meant_for_it(house: House, channel: grpc.aio.Channel) -> None:
    with pytest.raises(FlickError) as for_us:
        await call(house, channel, token=house.service_token(audience="query"))
    with pytest.raises(FlickError) as for_others:
        await call(house, channel, token=house.service_token(audience="auth"))

    assert (for_us.value.kind, for_others.value.kind) == (Kind.PERMISSION_DENIED, Kind.UNAUTHENTICATED)


async def test_a_method_without_a_rule_may_be_called_by_nobody(house: House, channel: grpc.aio.Channel) -> None:
    stub: query_pb2_grpc.QueryServiceAsyncStub = query_pb2_grpc.QueryServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await stub.QueryMetrics(query_pb2.QueryMetricsRequest(server_id=house.server), metadata=house.metadata())

    assert refusal.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_an_error_arrives_with_its_field(house: House, channel: grpc.aio.Channel) -> None:
    async def refuse(request: Any, context: Any) -> None:
        raise invalid("names", "holds 51 names, but at most 50 may be asked for.")

    house.servicer.behaviour = refuse
    with pytest.raises(FlickError) as refusal:
        await call(house, channel)

    assert refusal.value.kind is Kind.INVALID_ARGUMENT
    assert refusal.value.violations[0].field == "names"


async def test_an_unforeseen_error_tells_the_caller_nothing(house: House, channel: grpc.aio.Channel) -> None:
    async def fail(request: Any, context: Any) -> None:
        raise ZeroDivisionError("secret detail")

    house.servicer.behaviour = fail
    with pytest.raises(FlickError) as refusal:
        await call(house, channel)

    assert (refusal.value.kind, refusal.value.public) == (Kind.INTERNAL, INTERNAL_TEXT)


async def test_a_call_without_a_deadline_gets_one(house: House, channel: grpc.aio.Channel) -> None:
    async def hang(request: Any, context: Any) -> None:
        await asyncio.Event().wait()

    house.servicer.behaviour = hang
    with pytest.raises(FlickError) as refusal:
        await call(house, channel)

    assert refusal.value.kind is Kind.DEADLINE_EXCEEDED


async def test_calls_are_counted_by_their_code(house: House, channel: grpc.aio.Channel) -> None:
    house.servicer.behaviour = answer
    await call(house, channel)
    with pytest.raises(FlickError):
        await call(house, channel, server=house.foreign_server)
    count = {
        code: house.registry.get_sample_value(
            "grpc_server_handled_total",
            {"grpc_service": "flick.v1.QueryService", "grpc_method": "GetLatestMetrics", "grpc_code": code},
        )
        for code in ["OK", "NOT_FOUND"]
    }

    assert count == {"OK": 1, "NOT_FOUND": 1}


async def test_a_stream_that_the_client_leaves_is_closed_at_the_server(house: House, channel: grpc.aio.Channel) -> None:
    closed = asyncio.Event()

    async def endless(request: Any, context: Any) -> AsyncIterator[query_pb2.WatchMetricsResponse]:
        try:
            while True:
                yield query_pb2.WatchMetricsResponse(server_id=house.server)
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    house.servicer.behaviour = endless
    stub: query_pb2_grpc.QueryServiceAsyncStub = query_pb2_grpc.QueryServiceStub(channel)
    stream = stub.WatchMetrics(query_pb2.WatchMetricsRequest(server_ids=[house.server]), metadata=house.metadata())
    await stream.read()
    stream.cancel()

    await asyncio.wait_for(closed.wait(), timeout=5)


async def test_health_is_public(house: House, channel: grpc.aio.Channel) -> None:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    response = await stub.Check(health_pb2.HealthCheckRequest(service="flick.v1.QueryService"))

    assert response.status == health_pb2.HealthCheckResponse.SERVING


async def test_plaintext_is_served_on_this_machine_only() -> None:
    with pytest.raises(FlickError, match=r"0\.0\.0\.0:0 can be reached from outside"):
        async with serve(listen="0.0.0.0:0", registrations=[], aspects=[]):
            raise AssertionError("it served")


async def test_plaintext_is_spoken_on_this_machine_only() -> None:
    with pytest.raises(FlickError, match=r"192\.0\.2\.1:1 is not on this machine"):
        open_channel("192.0.2.1:1")


async def test_an_address_in_use_is_named(house: House) -> None:
    with pytest.raises(FlickError, match="can't be listened on"):
        async with serve(listen=house.address, registrations=[], aspects=[]):
            raise AssertionError("it served")


def _hurry(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    """Make an option that is a time half a second; of the same option twice gRPC takes the first."""
    assert option in dict(OPTIONS)
    monkeypatch.setattr("flick.rpc.server.OPTIONS", [(option, 500), *OPTIONS])


async def test_who_connects_and_says_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    _hurry(monkeypatch, "grpc.server_handshake_timeout_ms")
    async with serve(listen="127.0.0.1:0", registrations=[], aspects=[]) as running:
        host, _, port = running.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        async with asyncio.timeout(30):
            while await reader.read(1024):  # the server's own greeting
                pass
        writer.close()

    assert reader.at_eof()


async def test_who_connects_and_calls_nothing_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    _hurry(monkeypatch, "grpc.max_connection_idle_ms")
    async with (
        serve(listen="127.0.0.1:0", registrations=[], aspects=[]) as running,
        open_channel(running.address) as channel,
    ):
        state = channel.get_state(try_to_connect=True)
        seen = {state}
        async with asyncio.timeout(30):
            while not (grpc.ChannelConnectivity.READY in seen and state is grpc.ChannelConnectivity.IDLE):
                await channel.wait_for_state_change(state)
                state = channel.get_state()
                seen.add(state)

    assert state is grpc.ChannelConnectivity.IDLE


async def test_health_is_told_as_it_changes(house: House, channel: grpc.aio.Channel) -> None:
    health: Any = health_pb2_grpc.HealthStub(channel)
    call = health.Watch(health_pb2.HealthCheckRequest(service=""), metadata=house.metadata())
    first = await call.read()
    call.cancel()

    assert first.status == health_pb2.HealthCheckResponse.SERVING


async def _serving_status(address: str) -> int:
    async with open_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        return int((await stub.Check(health_pb2.HealthCheckRequest())).status)


async def test_a_server_that_lingers_says_that_it_leaves_and_takes_whoever_still_comes() -> None:
    go = asyncio.Event()

    async def linger() -> None:
        await go.wait()

    async with AsyncExitStack() as stack:
        server = serve(listen="127.0.0.1:0", registrations=[], aspects=[], linger=linger)
        running = await stack.enter_async_context(server)
        before = await _serving_status(running.address)
        leaving = asyncio.create_task(stack.aclose())
        gone = health_pb2.HealthCheckResponse.NOT_SERVING
        while_it_lingers = await eventually(lambda: _serving_status(running.address), lambda status: status == gone)
        go.set()
        await leaving
        with pytest.raises(grpc.aio.AioRpcError) as afterwards:
            await _serving_status(running.address)

    assert (before, while_it_lingers) == (health_pb2.HealthCheckResponse.SERVING, gone)
    assert afterwards.value.code() is grpc.StatusCode.UNAVAILABLE
