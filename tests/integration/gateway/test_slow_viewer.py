"""A viewer that stops reading: what waits for it is bounded, it is sent away, and nobody else notices."""

import asyncio
import json
import socket
import time
from contextlib import AsyncExitStack

from websockets.asyncio.client import ClientConnection

from gateway.live.limits import LiveLimits
from tests.integration.gateway.running import Gateway, closed, receive, run_gateway, send, watching
from tests.integration.gateway.scripted import Backends

OTHERS = 12
STALL_S = 2.0
VALUES = 100  # about 10 KB of JSON an update
QUEUE_BYTES = 60_000
EVERY_S = 0.05


def narrow_socket(gateway: Gateway) -> socket.socket:
    """A connection that takes little before it is full."""
    host, port = gateway.address.split(":")
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    made.connect((host, int(port)))
    made.setblocking(False)
    return made


async def lags(viewer: ClientConnection, found: list[float]) -> None:
    """Note how old each value is when it comes."""
    async for text in viewer:
        frame = json.loads(text)
        if "metrics" in frame:
            found.append(time.time() - frame["metrics"]["update"]["values"][0]["value"])


async def publish_until_cut_off(gateway: Gateway, sizes: list[int]) -> float:
    """Publish until a socket was closed as too slow; returns after how many seconds."""
    began_s = time.monotonic()
    async with asyncio.timeout(30):
        while not gateway.metric("flick_gateway_live_sockets_closed_total", code="1013"):
            gateway.backends.query.publish("s1", time.time(), padding=VALUES)
            sizes.extend(session._outbox.size_bytes for session in gateway.hub._sessions)
            await asyncio.sleep(EVERY_S)
    return time.monotonic() - began_s


async def test_a_viewer_that_stops_reading_is_closed_with_1013_and_others_are_unharmed(backends: Backends) -> None:
    found: list[float] = []
    sizes: list[int] = []
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(
            run_gateway(backends, limits=LiveLimits(stall_s=STALL_S, queue_bytes=QUEUE_BYTES))
        )
        others = [await stack.enter_async_context(gateway.viewer(backends.accounts.token("b"))) for _ in range(OTHERS)]
        slow = await stack.enter_async_context(
            gateway.viewer(backends.accounts.token("ada"), sock=narrow_socket(gateway), ping_interval=None)
        )
        for viewer in (*others, slow):
            await send(viewer, subscribe={"subscriptionId": "a", "serverIds": ["s1"]})
        await watching(gateway, OTHERS + 1)
        slow.transport.pause_reading()
        readers = [asyncio.create_task(lags(viewer, found)) for viewer in others]
        took_s = await publish_until_cut_off(gateway, sizes)
        slow.transport.resume_reading()
        code, _ = await closed(slow)
        alive = [viewer.close_code for viewer in others]
        for reader in readers:
            reader.cancel()

    assert code == 1013
    assert took_s >= STALL_S
    assert max(sizes) <= QUEUE_BYTES
    assert gateway.metric("flick_gateway_live_frames_dropped_total") > 0
    assert alive == [None] * OTHERS
    assert sorted(found)[int(len(found) * 0.99)] <= 1.0


async def test_a_viewer_that_reads_again_in_time_goes_on_with_the_newest_value(backends: Backends) -> None:
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(run_gateway(backends, limits=LiveLimits(queue_bytes=QUEUE_BYTES)))
        slow = await stack.enter_async_context(
            gateway.viewer(backends.accounts.token("ada"), sock=narrow_socket(gateway), ping_interval=None)
        )
        await send(slow, subscribe={"subscriptionId": "a", "serverIds": ["s1"]})
        await watching(gateway, 1)
        slow.transport.pause_reading()
        last = 0
        async with asyncio.timeout(10):
            while gateway.metric("flick_gateway_live_frames_dropped_total") < 10:
                last += 1
                backends.query.publish("s1", last, padding=VALUES)
                await asyncio.sleep(0.01)
        slow.transport.resume_reading()
        seen = [0]
        while seen[-1] != last:
            seen.append((await receive(slow))["metrics"]["update"]["values"][0]["value"])

    assert seen == sorted(seen)
    assert len(seen) - 1 < last
