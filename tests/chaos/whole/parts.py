"""The parts of `make chaos`, in the order in which they run, and about how long each takes on two cores."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Part:
    """Something that runs by itself.

    Attributes:
        name: by which it is asked for.
        what: for people.
        minutes: about how long it takes.
        paths: tests, which run in their long form.
        module: a program that is run instead, with `arguments`; its exit code is 0 when all is well.
        beside: it takes so little that the others run meanwhile.
    """

    name: str
    what: str
    minutes: float
    paths: Sequence[str] = ()
    module: str = ""
    arguments: Sequence[str] = ()
    beside: bool = False


PARTS: Sequence[Part] = (
    Part(
        name="soak",
        what="an hour of 200 agents with a fault every five minutes",
        minutes=63,
        module="tests.chaos.soak",
        arguments=("--minutes", "60"),
        beside=True,
    ),
    # Those first that mostly wait: the soak runs meanwhile.
    Part(name="kill", what="kill -9 of ingest, 20 times", minutes=36, paths=["tests/chaos/ingest/test_kill.py"]),
    Part(name="away", what="the database away for 10 minutes", minutes=13, paths=["tests/chaos/database/test_away.py"]),
    Part(name="kills", what="100 kills over all parts of `flick up`", minutes=12, paths=["tests/chaos/test_kills.py"]),
    Part(
        name="database",
        what="the database killed, stalled, full, not durable",
        minutes=8,
        paths=[
            "tests/chaos/database/test_kill.py",
            "tests/chaos/database/test_stall.py",
            "tests/chaos/database/test_disk.py",
            "tests/chaos/database/test_durability.py",
        ],
    ),
    Part(
        name="sealing",
        what="kill -9 of ingest while it seals hours, 60 times",
        minutes=20,
        paths=["tests/chaos/ingest/test_sealing.py", "tests/integration/ingest/sealing/test_racing.py"],
    ),
    Part(name="network", what="a bad network", minutes=6, paths=["tests/chaos/ingest/test_network.py"]),
    Part(name="herd", what="500 agents come back at once", minutes=4, paths=["tests/chaos/ingest/test_herd.py"]),
    Part(
        name="restart",
        what="rolling restarts of two ingests",
        minutes=4,
        paths=["tests/chaos/ingest/test_rolling_restart.py"],
    ),
    Part(
        name="redis", what="Redis killed, frozen, emptied, full", minutes=4, paths=["tests/chaos/test_redis_faults.py"]
    ),
    Part(name="viewers", what="a viewer that stops reading", minutes=2, paths=["tests/chaos/test_viewers.py"]),
    Part(name="clocks", what="clocks that are wrong or stepped", minutes=3, paths=["tests/chaos/test_clocks.py"]),
    Part(
        name="spool",
        what="kill -9 of the agent while it writes its spool, and a damaged spool",
        minutes=2,
        paths=["tests/chaos/spool/test_kill.py", "tests/unit/agent/spool/test_damage.py"],
    ),
    Part(
        name="ledger",
        what="the delivery ledger's counts after kill -9",
        minutes=2,
        paths=["tests/integration/ingest/ledger/test_killed.py"],
    ),
    Part(
        name="streams",
        what="5,000 idle streams; 1,000 that push while the database is stalled",
        minutes=5,
        paths=["tests/integration/ingest/streams/test_idle.py", "tests/integration/ingest/streams/test_pressure.py"],
    ),
    Part(
        name="histories",
        what="streams that lie, replay and reorder",
        minutes=5,
        paths=["tests/fuzz/test_histories.py", "tests/fuzz/test_faults.py"],
    ),
    Part(name="mutations", what="half an hour of spoilt frames", minutes=31, paths=["tests/fuzz/test_mutations.py"]),
)
