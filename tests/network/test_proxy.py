"""The bad network is as bad as it is told to be, and no worse."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.network.proxy import FaultProxy, Link
from tests.waiting import until

WORDS = bytes(range(256)) * 64


@dataclass(kw_only=True)
class _Echo:
    """A connection through the proxy to a server that says what it hears."""

    proxy: FaultProxy
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def asked(self, data: bytes = WORDS) -> bytes:
        self.writer.write(data)
        return await self.reader.readexactly(len(data))


@asynccontextmanager
async def _echo(link: Link) -> AsyncIterator[_Echo]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy = FaultProxy(targets=lambda: f"127.0.0.1:{port}", link=link, rng=random.Random(1))
    async with server, proxy.serving() as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        yield _Echo(proxy=proxy, reader=reader, writer=writer)
        writer.close()


async def test_without_faults_everything_arrives_as_it_was_sent() -> None:
    async with _echo(Link()) as echo:
        heard = await echo.asked()

        assert heard == WORDS
        assert echo.proxy.passed_bytes == (len(WORDS), len(WORDS))
        assert (echo.proxy.open, echo.proxy.busiest_second()) == (1, 1)


async def test_a_flip_turns_one_bit_and_no_more() -> None:
    async with _echo(Link(flips=1)) as echo:
        wrong, right = await echo.asked(), await echo.asked()

    assert sum((one ^ other).bit_count() for one, other in zip(wrong, WORDS, strict=True)) == 1
    assert right == WORDS


async def test_bytes_are_under_way_both_ways_for_as_long_as_told() -> None:
    link = Link(delay_s=0.1)
    async with _echo(link) as echo:
        began_s = time.monotonic()
        await echo.asked(b"x")

        assert time.monotonic() - began_s >= 2 * link.delay_s


async def test_a_narrow_link_takes_its_time_also_for_two_connections_together() -> None:
    async with _echo(Link(rate_bytes_per_s=100_000)) as echo, _other(echo) as other:
        began_s = time.monotonic()
        await asyncio.gather(echo.asked(), other.asked())
        took_s = time.monotonic() - began_s

    # A direction carries both, the last chunk is given out when its time has come; one chunk may go at once.
    assert took_s >= 2 * (len(WORDS) - 4096) / 100_000


async def test_a_silent_network_says_nothing_until_it_is_heard_again() -> None:
    link = Link(silent=True)
    async with _echo(link) as echo:
        asking = asyncio.create_task(echo.asked())
        done, _ = await asyncio.wait({asking}, timeout=0.3)
        link.silent = False

        assert not done
        assert await asking == WORDS


async def test_torn_connections_end_by_a_reset_at_both_ends() -> None:
    async with _echo(Link()) as echo:
        await echo.asked()
        torn = echo.proxy.reset()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await echo.reader.readexactly(1)
        await until(lambda: echo.proxy.open == 0)

    assert torn == 1


async def test_refused_connections_end_at_once() -> None:
    async with _echo(Link(refused=True)) as echo:
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError, BrokenPipeError)):
            await echo.asked()


@asynccontextmanager
async def _other(echo: _Echo) -> AsyncIterator[_Echo]:
    host, port = echo.writer.get_extra_info("peername")
    reader, writer = await asyncio.open_connection(host, port)
    yield _Echo(proxy=echo.proxy, reader=reader, writer=writer)
    writer.close()
