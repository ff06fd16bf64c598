"""Streams that fail are gone from memory at once: ingest's garbage collector looks rarely at what lived long."""

import gc
from collections.abc import Iterator

import pytest

from services.ingest.streams.session import Session
from services.ingest.streams.times import StreamTimes
from tests.databases import DatabaseServer
from tests.integration.ingest.agent import batch, now_ns, sample
from tests.integration.ingest.house import ingest_house
from tests.waiting import until

STREAMS = 3


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Nothing is collected as garbage meanwhile."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _sessions() -> int:
    return sum(isinstance(one, Session) for one in gc.get_objects())


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("how", ["breaks the protocol", "falls silent", "goes"])
async def test_a_stream_that_ends_leaves_nothing_behind(
    postgres: DatabaseServer, telemetry: str, redis_url: str, how: str
) -> None:
    silent_s = 0.4 if how == "falls silent" else 30.0
    times = StreamTimes(look_every_s=0.02, ping_every_s=silent_s / 2, silent_after_s=silent_s)
    async with ingest_house(postgres=postgres, database=telemetry, redis_url=redis_url, times=times) as house:
        enrolled = await house.enroll()
        for _ in range(STREAMS):
            async with house.agent(enrolled) as agent:
                await agent.hello()
                seen = _sessions()
                if how == "breaks the protocol":
                    await agent.send(batch(7, sample(now_ns())))
                if how != "goes":
                    await agent.ending()
        await until(lambda: _sessions() == 0)

    assert seen > 0
