"""A transcoder on a real port, for what only a real connection shows: streaming and clients that leave."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import uvicorn


@asynccontextmanager
async def on_a_port(app: Any) -> AsyncIterator[str]:
    """Serve an ASGI application with uvicorn on loopback; yields its address."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


class Conversation:
    """An HTTP/1.1 request whose body is sent piece by piece while the answer is read, which HTTP clients do not do."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, piece: bytes) -> None:
        """Send a piece of the body; an empty one ends it."""
        self._writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await self._writer.drain()

    async def head(self) -> int:
        """Read the answer's head and return its status."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1])

    async def chunk(self) -> bytes:
        """Read a piece of a chunked answer; empty at its end."""
        size = int(await self._reader.readline(), 16)
        return (await self._reader.readexactly(size + 2))[:-2]

    async def hear(self) -> Any:
        """Read a line of JSON."""
        return json.loads(await self.chunk())

    def leave(self) -> None:
        """Close the connection."""
        self._writer.close()


@asynccontextmanager
async def conversation(url: str, path: str) -> AsyncIterator[Conversation]:
    """A POST to `path` whose body is still to be said."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    try:
        yield Conversation(reader, writer)
    finally:
        writer.close()
