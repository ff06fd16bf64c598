"""Requests per second of a unary REST call through the gateway, beside the bare gRPC call to the same service.

The gateway is the real program; the service behind it answers at once. Both are asked by as many at a time, in turns.
"""

import asyncio
import re
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc.aio

from flick.v1 import query_pb2
from tests.bench.rest_backend import METHOD
from tests.bench.result import Result
from tests.deployables import program

AT_ONCE = 16
TURNS = 5
LONGEST_TURN_S = 4.0  # more seconds change nothing, they only take longer
PATH = "/api/v1/servers/0199f3a2-7c1e-7cc2-9a6a-0242ac120002/metrics:latest"

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
Ask = Callable[[], Awaitable[None]]


async def measure(seconds: float) -> list[Result]:
    """Requests per second through the gateway, and over bare gRPC as the ceiling."""
    turn_s = min(seconds / (2 * TURNS), LONGEST_TURN_S)
    with TemporaryDirectory() as folder:
        log = Path(folder)
        async with program("tests.bench.rest_backend", environment={}, log=log / "backend") as backend:
            services = ("FLICK_AUTH_ADDRESS", "FLICK_QUERY_ADDRESS", "FLICK_INGEST_ADDRESS")
            settings = {"FLICK_GATEWAY_LISTEN": "127.0.0.1:0", **dict.fromkeys(services, backend.address)}
            async with program("gateway", environment=settings, log=log / "gateway") as gateway:
                rest, bare = await _in_turns(gateway.address, backend.address, turn_s)
    return [Result(name="rest_per_second", value=rest, ceiling=bare, unit="/s")]


async def _in_turns(gateway: str, backend: str, turn_s: float) -> tuple[float, float]:
    async with grpc.aio.insecure_channel(backend) as channel:
        askers = [await _rest_asker(gateway) for _ in range(AT_ONCE)], [_grpc_asker(channel)] * AT_ONCE
        rates = [[await _rate(kind, turn_s) for kind in askers] for _ in range(TURNS)]
    rest, bare = (statistics.median(rate) for rate in zip(*rates, strict=True))
    return rest, bare


async def _rate(askers: list[Ask], turn_s: float) -> float:
    """Answers per second when each asker asks again as soon as it has its answer."""
    until = time.monotonic() + turn_s

    async def keep_asking(ask: Ask) -> int:
        count = 0
        while time.monotonic() < until:
            await ask()
            count += 1
        return count

    began = time.monotonic()
    counts = await asyncio.gather(*map(keep_asking, askers))
    return sum(counts) / (time.monotonic() - began)


async def _rest_asker(address: str) -> Ask:
    """One connection that stays open. Written by hand: HTTP clients of Python cost more than what is measured."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    request = f"GET {PATH} HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\n\r\n".encode()

    async def ask() -> None:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        assert head.startswith(b"HTTP/1.1 200"), head
        assert length is not None, head
        await reader.readexactly(int(length.group(1)))

    return ask


def _grpc_asker(channel: grpc.aio.Channel) -> Ask:
    call = channel.unary_unary(
        METHOD,
        request_serializer=query_pb2.GetLatestMetricsRequest.SerializeToString,
        response_deserializer=query_pb2.GetLatestMetricsResponse.FromString,
    )
    request = query_pb2.GetLatestMetricsRequest(server_id="0199f3a2-7c1e-7cc2-9a6a-0242ac120002")

    async def ask() -> None:
        await call(request)

    return ask
