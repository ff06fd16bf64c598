"""The live socket: frames that can't be taken, and how much a viewer may take."""

import json
from contextlib import AsyncExitStack
from typing import Any

import pytest

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
from tests.integration.gateway.scripted import Backends


def violation(frame: dict[str, Any]) -> dict[str, str]:
    """The field that an error frame blames, and why."""
    details = frame["error"]["status"]["details"]
    found: dict[str, str] = next(one for one in details if one["@type"].endswith("BadRequest"))["fieldViolations"][0]
    return found


async def test_a_viewer_that_never_says_who_it_is_is_closed(backends: Backends) -> None:
    limits = LiveLimits(authenticate_s=0.2, tick_s=0.05)
    async with run_gateway(backends, limits=limits) as gateway, gateway.socket() as socket:
        code, frames = await closed(socket)

    assert code == 4401
    assert "authenticate" in frames[0]["error"]["status"]["message"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("no json", "frame"),
        ("[]", "frame"),
        ("{}", "frame"),
        ('{"subscribe":{"subscriptionId":"a","serverIds":"s1"}}', "subscribe.serverIds"),
        ('{"subscribe":{"serverIds":["s1"]}}', "subscribe.subscriptionId"),
        ('{"subscribe":{"subscriptionId":"a"}}', "subscribe.serverIds"),
        (json.dumps({"subscribe": {"subscriptionId": "x" * 65, "serverIds": ["s1"]}}), "subscribe.subscriptionId"),
        (json.dumps({"subscribe": {"subscriptionId": "a", "serverIds": ["s1"] * 101}}), "subscribe.serverIds"),
    ],
)
async def test_a_frame_that_cant_be_taken_is_answered_by_the_field(gateway: Gateway, text: str, field: str) -> None:
    async with gateway.viewer(gateway.backends.accounts.token("ada")) as socket:
        await socket.send(text)
        blamed = violation(await receive(socket))
        await send(socket, subscribe=subscription())  # the socket lives on
        await watching(gateway, 1)

    assert blamed["field"] == field


async def test_going_on_with_bad_frames_closes_the_socket(gateway: Gateway) -> None:
    async with gateway.viewer(gateway.backends.accounts.token("ada")) as socket:
        for _ in range(11):
            await socket.send("nonsense")
        code, frames = await closed(socket)

    assert code == 1008
    assert len(frames) == 11


async def test_too_many_frames_close_the_socket(gateway: Gateway) -> None:
    async with gateway.viewer(gateway.backends.accounts.token("ada")) as socket:
        for index in range(200):
            await send(socket, subscribe=subscription(f"n{index % 10}"))
        code, _ = await closed(socket)

    assert code == 1008


async def test_a_binary_frame_closes_the_socket(gateway: Gateway) -> None:
    async with gateway.viewer(gateway.backends.accounts.token("ada")) as socket:
        await socket.send(b"{}")
        code, _ = await closed(socket)

    assert code == 1003


async def test_a_frame_over_64_kib_closes_the_socket(gateway: Gateway) -> None:
    async with gateway.viewer(gateway.backends.accounts.token("ada")) as socket:
        await socket.send(json.dumps({"x": "y" * 65536}))
        code, _ = await closed(socket)

    assert code == 1009


async def test_a_socket_has_twenty_subscriptions_at_most(gateway: Gateway) -> None:
    async with gateway.viewer(gateway.backends.accounts.token("ada")) as socket:
        for index in range(21):
            await send(socket, subscribe=subscription(f"n{index}"))
        error = await receive_until(socket, "error")
        await watching(gateway, 20)

    assert (error["error"]["subscriptionId"], error["error"]["status"]["code"]) == ("n20", 8)


async def test_a_name_in_use_is_refused_and_the_subscription_goes_on(gateway: Gateway) -> None:
    async with gateway.viewer(gateway.backends.accounts.token("ada")) as socket:
        await send(socket, subscribe=subscription())
        await send(socket, subscribe=subscription())
        error = await receive_until(socket, "error")
        await watching(gateway, 1)
        gateway.backends.query.publish("s1", 0.1)

        assert "metrics" in await receive(socket)
    assert error["error"]["status"]["code"] == 6


async def test_a_person_has_twenty_sockets_at_most_and_others_are_not_counted(gateway: Gateway) -> None:
    accounts = gateway.backends.accounts
    async with AsyncExitStack() as stack:
        for _ in range(20):
            await stack.enter_async_context(gateway.viewer(accounts.token("ada")))
        async with gateway.socket(subprotocols=["bearer", accounts.token("ada")]) as one_more:
            code, frames = await closed(one_more)
        await stack.enter_async_context(gateway.viewer(accounts.token("bob")))
    async with gateway.viewer(accounts.token("ada")) as again:
        assert again.close_code is None

    assert code == 1008
    assert frames[0]["error"]["status"]["code"] == 8
