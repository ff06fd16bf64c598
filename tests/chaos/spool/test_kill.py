"""kill -9 while the agent's spool is being written: it opens, nothing that was taken is missing, places stay."""

import asyncio
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.spool.disk.opening import open_spool
from agent.spool.limits import SpoolLimits
from tests.chaos.spool.writer import SECOND_NS
from tests.deployables import ROOT

SEED = 20_262


@dataclass
class Said:
    """What the writers said over all their lives."""

    put: set[int] = field(default_factory=set)
    acked: set[int] = field(default_factory=set)
    sent: dict[tuple[int, int], set[int]] = field(default_factory=dict)
    last_sent: set[int] = field(default_factory=set)

    def take(self, line: str) -> None:
        word, *numbers = line.split()
        if word == "put":
            self.put.add(int(numbers[0]))
            return
        lane, seq, *seconds = map(int, numbers)
        if word == "sent":
            assert self.sent.get((lane, seq), set(seconds)) == set(seconds), "another content in the same place"
            self.sent[lane, seq] = self.last_sent = set(seconds)
        else:
            self.acked |= set(seconds)


async def write_and_be_killed(path: Path, said: Said, after_s: float) -> None:
    """Run a writer for a while from its first word on."""
    writer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos.spool.writer", str(path)), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert writer.stdout is not None
    said.take((await writer.stdout.readline()).decode())
    asyncio.get_running_loop().call_later(after_s, writer.kill)
    async for line in writer.stdout:
        if line.endswith(b"\n"):
            said.take(line.decode())
    await writer.wait()


@pytest.mark.timeout(600)  # the long form starts fifty processes
async def test_killed_while_it_writes_the_spool_loses_nothing_and_keeps_places(tmp_path: Path, long_form: bool) -> None:
    rng, said, path = random.Random(SEED), Said(), tmp_path / "spool.db"
    for _ in range(50 if long_form else 3):
        await write_and_be_killed(path, said, rng.uniform(0.05, 0.6))
        spool = open_spool(path, limits=SpoolLimits())
        held = {entry.time_ns // SECOND_NS for entry in spool.everything()}
        status = spool.status()
        spool.close()

        assert said.put - held - said.acked <= said.last_sent, "but for an ack that was noted and not said"
        said.acked |= said.put - held
        assert status.held_samples == len(held)
        assert status.corrupt_samples == status.dropped_samples == 0
        assert status.taken_samples == status.acked_samples + status.held_samples

    assert len(said.put) > 100
    assert said.acked
    assert not list(tmp_path.glob("*.damaged-*"))
