"""Runs the load generator as processes of its own."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.deployables import ROOT, STOP_WITHIN_S, end


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a run of the load sent.

    Attributes:
        frames, samples: how many were sent, and acked.
        acks: how many acks came for them.
        held_back: how often a frame was due and no credit left: the server was behind.
        refused: samples that acks named as rejected.
        seconds: how long it took until the last ack.
        cpu_s: processor time of the load generator itself.
    """

    frames: int
    samples: int
    acks: int
    held_back: int
    refused: int
    seconds: float
    cpu_s: float


class Generator:
    """Load generators that share the streams."""

    def __init__(self, processes: Sequence[asyncio.subprocess.Process]) -> None:
        self._processes = processes

    async def run(self, *, rate: float, seconds: float) -> Sent:
        """Send `rate` frames a second over all streams; returns when each is acked."""
        share = rate / len(self._processes)
        parts = await asyncio.gather(*(_told(process, f"run {share} {seconds}") for process in self._processes))
        return Sent(
            frames=sum(part.frames for part in parts),
            samples=sum(part.samples for part in parts),
            acks=sum(part.acks for part in parts),
            held_back=sum(part.held_back for part in parts),
            refused=sum(part.refused for part in parts),
            seconds=max(part.seconds for part in parts),
            cpu_s=sum(part.cpu_s for part in parts),
        )


@asynccontextmanager
async def generator(
    address: str, *, keys: Sequence[str], samples: int = 1, processes: int = 1, ca: Path | None = None
) -> AsyncIterator[Generator]:
    """Streams to `address`, open while entered: one for each key, `samples` in each frame."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running = []
        for number in range(processes):
            share = folder / f"keys-{number}"
            share.write_text("\n".join(keys[number::processes]))
            arguments = [address, str(share), "--samples", str(samples), *(["--ca", str(ca)] if ca else [])]
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.bench.load", *arguments),
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            stack.push_async_callback(end, process, within_s=STOP_WITHIN_S)
            running.append(process)
        for process in running:
            assert await _line(process) == "ready"
        yield Generator(running)


async def _told(process: asyncio.subprocess.Process, command: str) -> Sent:
    assert process.stdin is not None
    process.stdin.write(command.encode() + b"\n")
    return Sent(**json.loads(await _line(process)))


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode().strip()
    if not line:
        raise AssertionError(f"the load generator ended with {await process.wait()}")
    return line
