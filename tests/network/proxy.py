"""A TCP proxy that is as bad as a network can be: slow, narrow, torn, silent, or wrong in a bit."""

import asyncio
import random
import socket
import struct
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CHUNK_BYTES = 4096
QUEUED_CHUNKS = 64  # of one direction of one connection; then the sender is held back, as by a full buffer
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER without waiting: closing sends RST


@dataclass(kw_only=True)
class Link:
    """What the network does now; may be changed at any time.

    Attributes:
        delay_s: how long every byte is under way, each direction.
        rate_bytes_per_s: of each direction, shared by all connections; None: as fast as it goes.
        silent: nothing gets through in either direction, and nobody is told.
        refused: who connects is reset at once.
        flips: in so many of the next chunks towards the server one bit is turned.
    """

    delay_s: float = 0.0
    rate_bytes_per_s: float | None = None
    silent: bool = False
    refused: bool = False
    flips: int = 0


@dataclass(kw_only=True, eq=False)
class _Direction:
    """One direction of the link, as all connections share it."""

    name: str
    free_at_s: float = 0.0
    passed_bytes: int = 0


@dataclass(kw_only=True, eq=False)
class _Connection:
    tasks: "list[asyncio.Task[None]]" = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)


class FaultProxy:
    """Passes connections on.

    Args:
        targets: asked for each connection where it goes (`host:port`), so that several servers can share it.
        link: what the network is like.
        rng: where bits are turned, and who is reset.
    """

    def __init__(self, *, targets: Callable[[], str], link: Link, rng: random.Random) -> None:
        self.link = link
        self.accepted_at_s: list[float] = []
        self._targets = targets
        self._rng = rng
        self._up, self._down = _Direction(name="up"), _Direction(name="down")
        self._open: set[_Connection] = set()

    @property
    def passed_bytes(self) -> tuple[int, int]:
        """How many bytes were passed to the server, and back."""
        return self._up.passed_bytes, self._down.passed_bytes

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self._open)

    def busiest_second(self, *, since_s: float = 0.0) -> int:
        """The most connections that were accepted within any one second since a moment of the monotonic clock."""
        times = [at for at in self.accepted_at_s if at >= since_s]
        return max((bisect_left(times, at + 1) - index for index, at in enumerate(times)), default=0)

    def reset(self, *, share: float = 1.0) -> int:
        """Tear this share of the connections at both ends; returns how many."""
        torn = [one for one in self._open if self._rng.random() < share]
        for connection in torn:
            for writer in connection.writers:
                _reset(writer)
            for task in connection.tasks:
                task.cancel()
        return len(torn)

    @asynccontextmanager
    async def serving(self, *, port: int = 0) -> AsyncIterator[str]:
        """Pass on while entered; yields the address."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", port, backlog=1024)
        try:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            self.reset()
            while self._open:
                await asyncio.sleep(0.01)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted_at_s.append(time.monotonic())
        connection = _Connection(writers=[writer])
        self._open.add(connection)
        try:
            if not self.link.refused:
                await self._pass_on(connection, reader, writer)
        except OSError:
            pass
        finally:
            for one in connection.writers:
                _reset(one)
            self._open.discard(connection)

    async def _pass_on(
        self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        host, _, port = self._targets().rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        connection.writers.append(far_writer)
        for source, sink, direction in ((reader, far_writer, self._up), (far_reader, writer, self._down)):
            chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUED_CHUNKS)
            connection.tasks += [
                asyncio.create_task(self._take(source, chunks, direction)),
                asyncio.create_task(self._give(chunks, sink, direction)),
            ]
        try:
            await asyncio.wait(connection.tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in connection.tasks:
                task.cancel()
            await asyncio.gather(*connection.tasks, return_exceptions=True)

    async def _take(
        self, source: asyncio.StreamReader, chunks: "asyncio.Queue[tuple[float, bytes]]", direction: _Direction
    ) -> None:
        while data := await source.read(CHUNK_BYTES):
            now_s = time.monotonic()
            direction.free_at_s = max(now_s, direction.free_at_s)
            if self.link.rate_bytes_per_s:
                direction.free_at_s += len(data) / self.link.rate_bytes_per_s
            await chunks.put((direction.free_at_s + self.link.delay_s, self._perhaps_flipped(data, direction)))
        await chunks.put((time.monotonic() + self.link.delay_s, b""))
        await asyncio.Event().wait()  # the other task ends the connection, once everything is passed on

    async def _give(
        self, chunks: "asyncio.Queue[tuple[float, bytes]]", sink: asyncio.StreamWriter, direction: _Direction
    ) -> None:
        while True:
            due_s, data = await chunks.get()
            if (left_s := due_s - time.monotonic()) > 0:
                await asyncio.sleep(left_s)
            while self.link.silent:
                await asyncio.sleep(0.05)
            if not data:
                return
            sink.write(data)
            await sink.drain()
            direction.passed_bytes += len(data)

    def _perhaps_flipped(self, data: bytes, direction: _Direction) -> bytes:
        if not self.link.flips or direction is not self._up:
            return data
        self.link.flips -= 1
        at = self._rng.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << self._rng.randrange(8)]) + data[at + 1 :]


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    with suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
