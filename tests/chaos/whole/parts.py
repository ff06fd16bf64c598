"""The parts of `make chaos` in the order in which they run, and about how long each takes on two cores."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto


class Lane(Enum):
    """Lanes run at the same time; the parts of one lane run one after the other."""

    SOAK = auto()
    """The hour's soak: a third of a core."""
    WAITING = auto()
    """What mostly waits, for a backoff to begin anew or for a backlog to grow: as much again."""
    MAIN = auto()
    """Everything else; at its end what is measured in seconds, when the other lanes are over."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Something that runs by itself.

    Attributes:
        name: by which it is asked for.
        what: for people.
        minutes: about how long it takes.
        paths: tests, which run in their long form.
        module: a program that is run instead, with `arguments`; its exit code is 0 when all is well.
        lane: beside what it runs.
        niceness: by how much it gives way to other lanes (nice(2)).
    """

    name: str
    what: str
    minutes: float
    paths: Sequence[str] = ()
    module: str = ""
    arguments: Sequence[str] = ()
    lane: Lane = Lane.MAIN
    niceness: int = 0


def minutes(parts: Sequence[Part]) -> float:
    """About how long parts take together."""
    return max(sum(part.minutes for part in parts if part.lane is lane) for lane in Lane)


PARTS: Sequence[Part] = (
    Part(
        name="soak",
        what="an hour of 200 agents with a fault every five minutes",
        minutes=65,
        module="tests.chaos.soak",
        arguments=("--minutes", "60"),
        lane=Lane.SOAK,
    ),
    Part(
        name="kill",
        what="kill -9 of ingest, 20 times",
        minutes=36,
        paths=["tests/chaos/ingest/test_kill.py"],
        lane=Lane.WAITING,
    ),
    Part(
        name="away",
        what="the database away for 10 minutes",
        minutes=16,
        paths=["tests/chaos/database/test_away.py"],
        lane=Lane.WAITING,
    ),
    Part(
        name="histories",
        what="streams that lie, replay and reorder",
        minutes=5,
        paths=["tests/fuzz/test_histories.py", "tests/fuzz/test_faults.py"],
        lane=Lane.WAITING,
    ),
    Part(
        name="mutations",
        what="half an hour of spoilt frames",
        minutes=31,
        paths=["tests/fuzz/test_mutations.py"],
        niceness=10,  # it takes all that there is
    ),
    Part(
        name="sealing",
        what="kill -9 of ingest while it seals hours, 50 times",
        minutes=12,
        paths=["tests/chaos/ingest/test_sealing.py", "tests/integration/ingest/sealing/test_racing.py"],
    ),
    Part(name="kills", what="100 kills over all parts of `flick up`", minutes=14, paths=["tests/chaos/test_kills.py"]),
    Part(
        name="spool",
        what="kill -9 of the agent while it writes its spool, and a damaged spool",
        minutes=2,
        paths=["tests/chaos/spool/test_kill.py", "tests/unit/agent/spool/test_damage.py"],
    ),
    Part(
        name="ledger",
        what="the delivery ledger's counts after kill -9",
        minutes=1,
        paths=["tests/integration/ingest/ledger/test_killed.py"],
    ),
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
    Part(name="clocks", what="clocks that are wrong or stepped", minutes=3, paths=["tests/chaos/test_clocks.py"]),
    Part(
        name="redis", what="Redis killed, frozen, emptied, full", minutes=4, paths=["tests/chaos/test_redis_faults.py"]
    ),
    Part(
        name="streams",
        what="5,000 idle streams; 1,000 that push while the database is stalled",
        minutes=4,
        paths=["tests/integration/ingest/streams/test_idle.py", "tests/integration/ingest/streams/test_pressure.py"],
    ),
    Part(name="network", what="a bad network", minutes=8, paths=["tests/chaos/ingest/test_network.py"]),
    Part(name="viewers", what="a viewer that stops reading", minutes=2, paths=["tests/chaos/test_viewers.py"]),
    Part(name="herd", what="500 agents come back at once", minutes=4, paths=["tests/chaos/ingest/test_herd.py"]),
    Part(
        name="restart",
        what="rolling restarts of two ingests",
        minutes=2,
        paths=["tests/chaos/ingest/test_rolling_restart.py"],
    ),
)
