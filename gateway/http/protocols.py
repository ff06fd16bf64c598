"""uvicorn's two protocols with the limits that a server on the open net needs and uvicorn has not."""

import asyncio
import socket
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

HEAD_TIMEOUT_S = 10.0  # a client that takes longer to send a request's head, or takes nothing of an answer, is cut off
CLOSE_TIMEOUT_S = 10.0  # a peer that takes longer to see a closing frame is cut off
WRITE_HIGH_BYTES = 64 * 1024  # what may wait in our memory for one viewer's socket, besides its outbox
UNSENT_BYTES = 32 * 1024  # what may wait in the kernel unsent; what is on its way is not limited by it


class HttpProtocol(H11Protocol):
    """HTTP/1.1 that does not wait for ever for a request's head (slow headers, idle connections), nor for a reader."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_TIMEOUT_S, self._check, None, 0)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._timer.cancel()
        super().connection_lost(exc)

    def _check(self, last_cycle: Any, last_unsent_bytes: int) -> None:
        if self.transport.get_protocol() is not self:  # it became a WebSocket
            return
        unsent_bytes = self.transport.get_write_buffer_size()
        stalled = unsent_bytes > 0 and unsent_bytes == last_unsent_bytes
        idle = unsent_bytes == 0 and self.conn.our_state is h11.IDLE and self.cycle is last_cycle
        if stalled or idle:
            self.transport.abort()
            return
        self._timer = self.loop.call_later(HEAD_TIMEOUT_S, self._check, self.cycle, unsent_bytes)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket whose buffers are small and whose end never waits for a peer that does not read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        cast("asyncio.Transport", transport).set_write_buffer_limits(high=WRITE_HIGH_BYTES)
        peer = transport.get_extra_info("socket")
        if peer is not None and peer.family in (socket.AF_INET, socket.AF_INET6):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    async def send(self, message: Any) -> None:
        """Send an ASGI event. uvicorn would let a closing frame wait until the peer reads; this does not."""
        if message["type"] == "websocket.close":
            self.writable.set()
            self.loop.call_later(CLOSE_TIMEOUT_S, self.transport.abort)
        await super().send(message)

    def keepalive_timeout(self) -> None:
        """The peer did not answer a ping: closing alone would wait for its buffer to empty."""
        super().keepalive_timeout()
        self.transport.abort()
