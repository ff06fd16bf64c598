"""What a server holds of streams that push while nobody reads them."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import psutil

from tests.deployables import ROOT, end
from tests.report import report
from tests.waiting import eventually

STREAMS = 100
MESSAGE = b"x" * 64 * 1024
MESSAGES = 8
MAX_KIB_PER_STREAM = 50  # 100 are promised
ALIKE = 5  # readings, 0.3 s apart
KIB = 1024


@asynccontextmanager
async def _deaf_server() -> AsyncIterator[tuple[str, psutil.Process]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.rpc.deaf_server"), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip(), psutil.Process(process.pid)
    finally:
        await end(process, within_s=15)


async def _push(call: "grpc.aio.StreamStreamCall[bytes, bytes]") -> None:
    for _ in range(MESSAGES):
        await call.write(MESSAGE)


async def _quiet_kib(process: psutil.Process) -> int:
    """Its memory once that stays the same."""
    seen: list[int] = []

    async def last() -> list[int]:
        seen.append(process.memory_info().rss // KIB)
        return seen[-ALIKE:]

    found = await eventually(last, lambda kib: len(kib) == ALIKE and max(kib) - min(kib) < STREAMS)
    return found[-1]


async def test_a_stream_that_is_not_read_takes_little_memory() -> None:
    async with _deaf_server() as (address, process), AsyncExitStack() as stack:
        calls: list[grpc.aio.StreamStreamCall[bytes, bytes]] = []
        for _ in range(STREAMS):
            channel = grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
            await stack.enter_async_context(channel)
            calls.append(channel.stream_stream("/flick.v1.IngestService/StreamTelemetry")())
            await calls[-1].wait_for_connection()
        before_kib = await _quiet_kib(process)
        pushes = [asyncio.create_task(_push(call)) for call in calls]
        after_kib = await _quiet_kib(process)
        for push in pushes:
            push.cancel()
        await asyncio.wait(pushes)
    kib_per_stream = (after_kib - before_kib) / STREAMS
    report(f"{STREAMS} streams that are not read", kib_per_stream=round(kib_per_stream, 1))

    assert 0 < kib_per_stream <= MAX_KIB_PER_STREAM
