"""The contract's own routes by WebSocket: the same rules as over HTTP, and the gateway's Origin rules."""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from tests.integration.gateway.running import Gateway, watching


async def test_a_route_that_streams_sends_frames(gateway: Gateway) -> None:
    token = [Subprotocol("bearer"), Subprotocol(gateway.backends.accounts.token("ada"))]
    address = f"ws://{gateway.address}/api/v1/servers/s1/metrics:watch"
    async with asyncio.timeout(10), connect(address, subprotocols=token, proxy=None) as socket:
        await watching(gateway, 1)
        gateway.backends.query.publish("s1", 0.5)
        frames = [json.loads(await socket.recv()) for _ in range(2)]  # that the watch has begun, and the values

    assert frames[1]["result"]["serverId"] == "s1"


async def test_a_route_that_asks_for_a_token_says_so(gateway: Gateway) -> None:
    async with asyncio.timeout(10), connect(f"ws://{gateway.address}/api/v1/servers", proxy=None) as socket:
        frame = json.loads(await socket.recv())

    assert frame["code"] == 16


async def test_a_page_of_another_site_is_refused(gateway: Gateway) -> None:
    with pytest.raises(InvalidStatus):
        async with connect(f"ws://{gateway.address}/api/v1/servers", origin=Origin("http://evil.example"), proxy=None):
            pass
