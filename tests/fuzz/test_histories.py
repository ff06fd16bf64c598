"""Replay, reordering, lost acks, acks of what was never sent: whatever the order, nothing that was acked is missing."""

import asyncio
import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.careless import CarelessAgent
from tests.fuzz.healthy import Healthy
from tests.fuzz.histories import MISBEHAVIOUR, WELL_BEHAVED, History
from tests.fuzz.ingest import Ingest

SEED = 20_263
SHORT_EXAMPLES, LONG_EXAMPLES = 300, 10_000
SHORT_AGENTS, LONG_AGENTS = 3, 100  # of each server

Step = Callable[[History, int], None]
EVERY_STEP: Sequence[Step] = (*WELL_BEHAVED * 4, *MISBEHAVIOUR)  # few histories would get anywhere otherwise
STEPS = st.lists(st.tuples(st.sampled_from(EVERY_STEP), st.integers(0, 239)), min_size=1, max_size=120)


def run(steps: Sequence[tuple[Step, int]]) -> History:
    history = History()
    for step, number in steps:
        step(history, number)
        history.check()
    history.heal()
    return history


@pytest.mark.timeout(1200)
def test_in_every_history_what_was_acked_is_stored_and_the_rest_comes_in_the_end(long_form: bool) -> None:
    @settings(
        max_examples=LONG_EXAMPLES if long_form else SHORT_EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(steps=STEPS)
    def holds(steps: list[tuple[Step, int]]) -> None:
        run(steps)

    holds()


def test_histories_reach_what_they_are_about() -> None:
    rng = random.Random(SEED)
    histories = [run([(rng.choice(EVERY_STEP), rng.randrange(240)) for _ in range(120)]) for _ in range(50)]

    assert sum(history.refused for history in histories) > 50
    assert sum(len(history.table) for history in histories) > 500


@pytest.mark.timeout(1200)
async def test_agents_that_misbehave_on_real_streams_lose_nothing_and_trouble_nobody_else(
    ingest: Ingest, healthy: Healthy, long_form: bool
) -> None:
    before, agents = len(healthy.acked), LONG_AGENTS if long_form else SHORT_AGENTS
    refused = await asyncio.gather(
        *(_misbehave(ingest, number, agents=agents) for number in range(1, len(ingest.enrolled)))
    )

    assert sum(refused) > agents
    assert len(healthy.acked) > before


async def _misbehave(ingest: Ingest, number: int, *, agents: int) -> int:
    """Agents of one server, one after the other; how many of their streams were refused."""
    rng, enrolled = random.Random(f"{SEED}-{number}"), ingest.enrolled[number]
    times, refused = set[int](), 0
    for _ in range(agents):
        agent = CarelessAgent(ingest=ingest, enrolled=enrolled, rng=rng)
        await agent.deliver()
        times |= agent.times
        refused += agent.refused
    rows = await ingest.stored_times(enrolled)

    assert sorted(times) == rows
    return refused
