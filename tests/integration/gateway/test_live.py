"""The live socket: who may open it, what it carries, what is refused."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest
from websockets.exceptions import InvalidStatus

from gateway.live.limits import LiveLimits
from tests.integration.gateway.running import (
    Gateway,
    closed,
    receive,
    receive_until,
    run_gateway,
    send,
    subscription,
    watching,
)
from tests.integration.gateway.scripted import Backends, serve_query
from tests.waiting import eventually


async def test_a_token_as_subprotocol_opens_the_socket_and_values_come(gateway: Gateway) -> None:
    async with gateway.viewer(gateway.backends.accounts.token("ada")) as socket:
        await send(socket, subscribe=subscription())
        await watching(gateway, 1)
        gateway.backends.query.publish("s1", 0.5)
        frame = await receive(socket)

        assert socket.subprotocol == "bearer"
    assert frame["metrics"]["subscriptionId"] == "a"
    assert frame["metrics"]["update"]["serverId"] == "s1"
    assert frame["metrics"]["update"]["values"] == [
        {"name": "system.cpu.utilization", "labels": {}, "value": 0.5, "time": None}
    ]


async def test_a_token_in_the_first_frame_opens_the_socket(gateway: Gateway) -> None:
    async with gateway.socket() as socket:
        await send(socket, authenticate={"accessToken": gateway.backends.accounts.token("ada")})

        assert await receive(socket) == {"ready": {}}


@pytest.mark.parametrize("token", ["wrong", "x" * 9000])
async def test_a_token_that_is_no_good_closes_with_4401(gateway: Gateway, token: str) -> None:
    async with gateway.socket() as socket:
        await send(socket, authenticate={"accessToken": token})
        code, frames = await closed(socket)

    assert code == 4401
    assert frames[0]["error"]["status"]["code"] == 16


async def test_anything_before_authentication_closes_with_4401(gateway: Gateway) -> None:
    async with gateway.socket() as socket:
        await send(socket, subscribe=subscription())
        code, _ = await closed(socket)

    assert code == 4401


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost.evil.example"])
async def test_a_foreign_page_can_not_open_the_socket(gateway: Gateway, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with gateway.socket(origin=origin):
            pass

    assert refused.value.response.status_code == 403


async def test_its_own_page_and_allowed_pages_open_the_socket(backends: Backends) -> None:
    async with run_gateway(backends, allowed_origins=("https://board.example",)) as gateway:
        for origin in (gateway.url, "https://board.example"):
            async with gateway.viewer(backends.accounts.token("ada"), origin=origin) as socket:
                assert socket.response is not None


async def test_unsubscribing_ends_the_call_behind(gateway: Gateway) -> None:
    async with gateway.viewer(gateway.backends.accounts.token("ada")) as socket:
        await send(socket, subscribe=subscription())
        await watching(gateway, 1)
        await send(socket, unsubscribe={"subscriptionId": "a"})
        await watching(gateway, 0)
        await send(socket, unsubscribe={"subscriptionId": "a"})
        frame = await receive(socket)

    assert frame["error"]["status"]["code"] == 5


async def test_leaving_ends_every_call_behind(gateway: Gateway) -> None:
    async with gateway.viewer(gateway.backends.accounts.token("ada")) as socket:
        await send(socket, subscribe=subscription("a"))
        await send(socket, subscribe=subscription("b", "s2"))
        await watching(gateway, 2)
    await watching(gateway, 0)

    async def sockets() -> float:
        return gateway.metric("flick_gateway_live_sockets")

    assert await eventually(sockets, lambda count: count == 0, within_s=5, every_s=0.01) == 0
    assert gateway.metric("flick_gateway_live_subscriptions") == 0


async def test_a_server_that_the_viewer_may_not_see_ends_that_subscription_only(gateway: Gateway) -> None:
    async with gateway.viewer(gateway.backends.accounts.token("ada")) as socket:
        await send(socket, subscribe=subscription("good"))
        await send(socket, subscribe=subscription("bad", "s1", "foreign"))
        error = await receive_until(socket, "error")
        await watching(gateway, 1)
        gateway.backends.query.publish("s1", 0.1)
        value = await receive_until(socket, "metrics")

    assert (error["error"]["subscriptionId"], error["error"]["status"]["code"]) == ("bad", 5)
    assert value["metrics"]["subscriptionId"] == "good"


async def test_signs_of_life_come_while_nothing_else_does(backends: Backends) -> None:
    limits = LiveLimits(heartbeat_s=0.1, tick_s=0.02)
    async with (
        run_gateway(backends, limits=limits) as gateway,
        gateway.viewer(backends.accounts.token("ada")) as socket,
    ):
        beats = [await receive(socket) for _ in range(3)]

    times = [beat["heartbeat"]["time"] for beat in beats]
    assert times == sorted(times)


async def test_a_token_that_ends_closes_the_socket_with_4401(gateway: Gateway) -> None:
    token = gateway.backends.accounts.token("ada", lifetime_s=1.0)
    async with gateway.viewer(token) as socket:
        await send(socket, subscribe=subscription())
        code, frames = await closed(socket)

    assert code == 4401
    assert frames[-1]["error"]["status"]["details"][0]["reason"] == "TOKEN_EXPIRED"


async def test_a_newer_token_of_the_same_person_goes_on_without_a_gap(backends: Backends) -> None:
    ends_s = time.time() + 0.8
    first = backends.accounts.token("ada", lifetime_s=0.8)
    async with run_gateway(backends, limits=LiveLimits(tick_s=0.02)) as gateway, gateway.viewer(first) as socket:
        await send(socket, subscribe=subscription())
        await watching(gateway, 1)
        await send(socket, authenticate={"accessToken": backends.accounts.token("ada")})
        await receive_until(socket, "ready")
        await asyncio.sleep(ends_s + 0.3 - time.time())  # the first token is over, by several ticks
        backends.query.publish("s1", 0.7)
        frame = await receive_until(socket, "metrics")

    assert frame["metrics"]["update"]["values"][0]["value"] == 0.7


async def test_another_persons_token_closes_the_socket(gateway: Gateway) -> None:
    accounts = gateway.backends.accounts
    async with gateway.viewer(accounts.token("ada")) as socket:
        await send(socket, authenticate={"accessToken": accounts.token("bob")})
        code, _ = await closed(socket)

    assert code == 4401


async def test_a_revoked_token_closes_the_socket_within_5_s(gateway: Gateway) -> None:
    token = gateway.backends.accounts.token("ada")
    async with gateway.viewer(token) as socket:
        await send(socket, subscribe=subscription())
        await watching(gateway, 1)
        gateway.backends.query.revoke(token)
        async with asyncio.timeout(5):
            code, frames = await closed(socket)

    assert code == 4401
    assert frames[-1]["error"]["status"]["code"] == 16


async def test_a_restart_of_query_ends_subscriptions_and_a_new_one_works(backends: Backends) -> None:
    async with AsyncExitStack() as stack:
        async with serve_query(backends) as address:
            gateway = await stack.enter_async_context(run_gateway(backends))
            socket = await stack.enter_async_context(gateway.viewer(backends.accounts.token("ada")))
            await send(socket, subscribe=subscription())
            await watching(gateway, 1)
        ended = await receive_until(socket, "error")
        await send(socket, subscribe=subscription("while-away"))
        refused = await receive_until(socket, "error")
        async with serve_query(backends, listen=address):

            async def subscribe_again() -> int:
                await send(socket, subscribe=subscription("again"))
                await asyncio.sleep(0.3)
                return len(backends.query.watchers)

            assert await eventually(subscribe_again, lambda count: count == 1, within_s=10, every_s=0.5) == 1

    assert (ended["error"]["subscriptionId"], ended["error"]["status"]["code"]) == ("a", 14)
    assert (refused["error"]["subscriptionId"], refused["error"]["status"]["code"]) == ("while-away", 14)
    assert "127.0.0.1" not in refused["error"]["status"]["message"]


async def test_a_viewer_is_told_to_come_back_when_auth_does_not_answer(backends: Backends) -> None:
    backends.auth_address = "127.0.0.1:1"
    async with run_gateway(backends) as gateway, gateway.socket(subprotocols=["bearer", "t"]) as socket:
        code, frames = await closed(socket)

    assert code == 1013
    assert frames[0]["error"]["status"]["code"] == 14


async def test_a_leaving_gateway_says_when_to_come_back(backends: Backends) -> None:
    async with AsyncExitStack() as stack:
        async with run_gateway(backends) as gateway:
            sockets = [
                await stack.enter_async_context(gateway.viewer(backends.accounts.token("ada"))) for _ in range(3)
            ]
        ends = [await closed(socket) for socket in sockets]

    delays = set()
    for code, frames in ends:
        status = frames[-1]["error"]["status"]
        delays.add(next(one["retryDelay"] for one in status["details"] if "retryDelay" in one))
        assert (code, status["code"]) == (1001, 14)
    assert len(delays) == 3
