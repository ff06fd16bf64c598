"""An agent over a real stream that replays, reorders and leaves out, but forgets only what was acked."""

import random
from collections.abc import Sequence

import grpc

from flick.v1 import telemetry_pb2
from tests.fuzz.ingest import Ingest
from tests.fuzz.material import BACKFILL, LIVE, batch, fresh_ns, hello, sample
from tests.fuzz.wire import Outcome, speak
from tests.tiny_auth import Enrolled

CREDITS = 8
LOST_ACKS = 0.3
Spot = tuple[int, int]
"""A lane and a seq in it."""


class CarelessAgent:
    """Has some samples in both lanes, each a frame of its own."""

    def __init__(self, *, ingest: Ingest, enrolled: Enrolled, rng: random.Random) -> None:
        self._ingest = ingest
        self._enrolled = enrolled
        self._rng = rng
        self._times: dict[int, list[int]] = {
            lane: [fresh_ns() for _ in range(rng.randint(1, 12))] for lane in (LIVE, BACKFILL)
        }
        self._acked: dict[int, int] = {LIVE: 0, BACKFILL: 0}
        self.refused = 0

    @property
    def times(self) -> set[int]:
        """When its samples were measured."""
        return {at for times in self._times.values() for at in times}

    async def deliver(self) -> None:
        """Some streams with faults, then streams without any until everything is acked."""
        for _ in range(self._rng.randint(1, 3)):
            outcome = await self._speak(self._spoil(self._due()))
            self.refused += outcome.fatal == "PROTOCOL"
            if self._rng.random() >= LOST_ACKS:
                self._hear(outcome)
        while self._due():
            outcome = await self._speak(self._due())
            self._hear(outcome)

            assert outcome.code is grpc.StatusCode.OK, outcome

    def _due(self) -> list[Spot]:
        """What is not acked, in the order of each lane, within the credits."""
        due = [
            (lane, seq) for lane, times in self._times.items() for seq in range(self._acked[lane] + 1, len(times) + 1)
        ]
        return due[:CREDITS]

    def _spoil(self, due: list[Spot]) -> list[Spot]:
        place = self._rng.randrange(len(due) + 1)
        match self._rng.randrange(5):
            case 0 if due:
                due.insert(place, self._rng.choice(due))
            case 1:
                self._rng.shuffle(due)
            case 2 if due:
                due.remove(self._rng.choice(due))
            case 3:
                due.insert(place, (self._rng.choice((0, 7)), 1))
            case _:
                due.insert(place, (LIVE, self._rng.choice((0, 1, len(self._times[LIVE]) + 5))))
        return due

    async def _speak(self, spots: Sequence[Spot]) -> Outcome:
        opening = hello(live=self._acked[LIVE] + 1, backfill=self._acked[BACKFILL] + 1)
        frames = [batch(seq, self._sample(lane, seq), lane=lane) for lane, seq in spots]
        outcome = await speak(self._ingest.channel, key=self._enrolled.key, frames=[opening, *frames])

        assert outcome.fault == ""
        assert not outcome.rejected
        return outcome

    def _sample(self, lane: int, seq: int) -> telemetry_pb2.Sample:
        times = self._times.get(lane, self._times[LIVE])
        at = times[max(0, min(seq, len(times)) - 1)]
        return sample([float(at % 1_000_000)], time_unix_nano=at)

    def _hear(self, outcome: Outcome) -> None:
        for lane in self._acked:
            self._acked[lane] = max(self._acked[lane], outcome.acked(lane))
