"""The checker's verdict on one agent's log and what is stored, for every way in which they can differ."""

import math
from pathlib import Path

import pytest

from flick.v1 import ingest_pb2
from services.ingest.intake.samples import CORE_COUNT
from tests.chaos.checking.checker import Findings, compare
from tests.chaos.checking.stored import Numbers, Stored, join
from tests.chaos.load.lanes import LIVE, Batch
from tests.chaos.load.log import AgentLog, History
from tests.chaos.load.samples import Measured

CONTENT = {1: 11, 2: 22, 3: 33}
REJECTION = ingest_pb2.Rejection(seq=2, reason=ingest_pb2.REJECTION_REASON_FUTURE, count=1)


def _history(*, rejected: bool = False, acked: int = 2) -> History:
    """Two batches: samples 1 and 2, and sample 3."""
    log = AgentLog()
    batches = [
        Batch(LIVE, seq, tuple(Measured(at, CONTENT[at], b"") for at in times))
        for seq, times in [(1, (1, 2)), (2, (3,))]
    ]
    for one in batches:
        log.sent(one)
    if rejected:
        log.rejected(LIVE, REJECTION)
    for one in batches[:acked]:
        log.acked(one)
    return log.read()


@pytest.mark.parametrize(
    ("history", "stored", "faults"),
    [
        pytest.param(_history(), CONTENT, {}, id="everything is there"),
        pytest.param(_history(), {1: 11, 3: 33}, {"acked_not_stored": 1, "miscounted": 1}, id="one is lost"),
        pytest.param(_history(), CONTENT | {3: 34}, {"changed": 1}, id="one is another"),
        pytest.param(_history(), CONTENT | {4: 44}, {"stored_not_sent": 1}, id="one was never sent"),
        pytest.param(_history(rejected=True), {1: 11, 2: 22}, {}, id="one was rejected"),
        pytest.param(_history(rejected=True), CONTENT, {"miscounted": 1}, id="one was rejected and is there"),
        pytest.param(_history(acked=1), CONTENT, {"not_acked": 1}, id="one was never acked"),
        pytest.param(_history(acked=1), {1: 11, 2: 22}, {"not_acked": 1}, id="one was never acked and is not there"),
    ],
)
def test_what_differs_is_found(history: History, stored: dict[int, int], faults: dict[str, int]) -> None:
    found = compare(history, Stored(stored, 0))

    names = ("acked_not_stored", "stored_not_sent", "changed", "duplicated", "not_acked", "miscounted", "fatal")
    assert {name: getattr(found, name) for name in names if getattr(found, name)} == faults
    assert found.clean == (not faults)


def test_rows_that_are_there_twice_and_fatal_ends_are_found() -> None:
    history = _history()
    history.fatals.append("FATAL_CODE_PROTOCOL: no")

    found = compare(history, Stored(CONTENT, 1))

    assert (found.duplicated, found.fatal, found.clean) == (1, 1, False)


def test_findings_of_several_agents_add_up() -> None:
    found = compare(_history(), Stored(CONTENT, 0)) + compare(_history(), Stored({}, 0))

    assert found == Findings(sent=6, acked=6, stored=3, acked_not_stored=3, miscounted=3)


def test_a_log_is_read_as_it_was_written_also_by_another_program(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    writer = AgentLog(path)
    writer.sent(Batch(LIVE, 1, (Measured(1_790_000_000_000_000, 2**32 - 1, b""),)))
    writer.dropped(3)
    writer.fatal("FATAL_CODE_PROTOCOL: in several words")

    read = AgentLog(path).read()

    assert read.sent() == {1_790_000_000_000_000: 2**32 - 1}
    assert (read.acked(), read.dropped, read.fatals) == ({}, 3, ["FATAL_CODE_PROTOCOL: in several words"])


def _numbers(value: float | None) -> Numbers:
    return Numbers((value, *[None] * (CORE_COUNT - 1)), (0.5, None), b"digest")


ONE, SAME, OTHER = _numbers(1.0), _numbers(1.0), _numbers(2.0)
NOTHING = Numbers([math.nan] * CORE_COUNT, (), b"")


@pytest.mark.parametrize(
    ("rows", "sealed", "stored", "duplicated"),
    [
        pytest.param([(1, ONE)], [], {1: ONE}, 0, id="in a row"),
        pytest.param([], [(1, ONE)], {1: ONE}, 0, id="in a sealed hour"),
        pytest.param([(1, ONE)], [(2, OTHER)], {1: ONE, 2: OTHER}, 0, id="one in each"),
        pytest.param([(1, SAME)], [(1, ONE)], {1: ONE}, 0, id="a row that came late"),
        pytest.param([(1, NOTHING)], [(1, NOTHING)], {1: NOTHING}, 0, id="a late row without values"),
        pytest.param([(1, OTHER)], [(1, ONE)], {1: ONE}, 1, id="a late row of other content"),
        pytest.param([(1, ONE), (1, SAME)], [], {1: ONE}, 1, id="two rows"),
        pytest.param([], [(1, ONE), (1, SAME)], {1: ONE}, 1, id="sealed twice"),
    ],
)
def test_a_sample_is_there_twice_when_it_can_not_be_a_row_that_came_late(
    rows: list[tuple[int, Numbers]],
    sealed: list[tuple[int, Numbers]],
    stored: dict[int, Numbers],
    duplicated: int,
) -> None:
    found = join(rows=rows, sealed=sealed, snapshot_rows=[], sealed_snapshots=[])

    assert found == Stored({at: one.checksum(b"") for at, one in stored.items()}, duplicated)


def test_a_sample_and_its_processes_belong_together_wherever_they_lie() -> None:
    found = join(rows=[(1, ONE)], sealed=[(2, ONE)], snapshot_rows=[(2, b"two")], sealed_snapshots=[(1, b"one")])

    assert found == Stored({1: ONE.checksum(b"one"), 2: ONE.checksum(b"two")}, 0)


def test_snapshots_are_there_twice_as_samples_are() -> None:
    found = join(
        rows=[(1, ONE), (2, ONE)],
        sealed=[],
        snapshot_rows=[(1, b"one"), (2, b"other")],
        sealed_snapshots=[(1, b"one"), (2, b"two"), (3, b"three")],
    )

    assert found == Stored({1: ONE.checksum(b"one"), 2: ONE.checksum(b"two"), 3: 0}, 1)
