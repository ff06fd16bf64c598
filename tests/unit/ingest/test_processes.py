"""Snapshots of processes: whatever comes, what is stored can be read and is within the limits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.v1 import ingest_pb2, telemetry_pb2
from services.ingest.intake.processes import MAX_PROCESSES, MAX_TEXT_BYTES, check_processes

MALFORMED = ingest_pb2.OVERFLOW_KIND_MALFORMED
TEXT = ingest_pb2.OVERFLOW_KIND_TEXT
PROCESSES = ingest_pb2.OVERFLOW_KIND_PROCESSES


def _pack(*processes: telemetry_pb2.Process) -> bytes:
    return telemetry_pb2.ProcessSnapshot(processes=processes).SerializeToString()


def _check(packed: bytes) -> tuple[list[int], dict[int, int]]:
    """The ids of the processes that are stored, and what is left out."""
    snapshot = check_processes(packed, commands_enabled=True)
    stored = telemetry_pb2.ProcessSnapshot.FromString(snapshot.packed)
    return [one.pid for one in stored.processes], {one.kind: one.count for one in snapshot.overflows}


def test_a_snapshot_within_the_limits_stays_as_it_came() -> None:
    processes = [telemetry_pb2.Process(pid=pid, name="a" * 300, cpu_utilization=0.5) for pid in range(MAX_PROCESSES)]
    packed = _pack(*processes)
    snapshot = check_processes(packed, commands_enabled=True)

    assert (snapshot.packed, snapshot.overflows) == (packed, [])


@pytest.mark.parametrize(
    "packed",
    [b"\xff\xff\xff", b"\x0a\x05\x0a", b"\x0a\x04\x12\x02\xc3\x28"],
    ids=["no message", "cut short", "a name that is no UTF-8"],
)
def test_what_can_not_be_read_is_left_out(packed: bytes) -> None:
    assert _check(packed) == ([], {MALFORMED: 1})


@pytest.mark.parametrize("share", [-0.1, math.nan, math.inf, -math.inf])
def test_a_process_with_an_impossible_share_of_time_is_left_out(share: float) -> None:
    packed = _pack(
        telemetry_pb2.Process(pid=1, cpu_utilization=1.5),
        telemetry_pb2.Process(pid=2, cpu_utilization=share),
        telemetry_pb2.Process(pid=3),
    )

    assert _check(packed) == ([1, 3], {MALFORMED: 1})


def test_processes_beyond_the_limit_are_left_out() -> None:
    packed = _pack(*(telemetry_pb2.Process(pid=pid) for pid in range(MAX_PROCESSES + 7)))

    assert _check(packed) == (list(range(MAX_PROCESSES)), {PROCESSES: 7})


@pytest.mark.parametrize("field", ["name", "command", "user", "state"])
def test_processes_behind_too_much_text_are_left_out(field: str) -> None:
    long = telemetry_pb2.Process(pid=1, **{field: "\N{SNOWMAN}" * (MAX_TEXT_BYTES // 3)})  # type: ignore[arg-type]
    packed = _pack(long, telemetry_pb2.Process(pid=2, name="xx"), telemetry_pb2.Process(pid=3))

    assert _check(packed) == ([1], {TEXT: 2})


def test_every_limit_counts_what_it_leaves_out() -> None:
    processes = [telemetry_pb2.Process(pid=pid, name="x" * 1024) for pid in range(MAX_PROCESSES + 2)]
    packed = _pack(telemetry_pb2.Process(pid=-1, cpu_utilization=-1), *processes)

    assert _check(packed) == (list(range(64)), {MALFORMED: 1, TEXT: MAX_PROCESSES - 64, PROCESSES: 2})


def test_fields_of_a_later_version_stay_while_they_are_small() -> None:
    packed = _pack(telemetry_pb2.Process(pid=1)) + b"\xfa\x01\x03abc"

    assert check_processes(packed, commands_enabled=True).packed == packed


def test_fields_of_a_later_version_do_not_carry_more_than_the_limits_allow() -> None:
    padding = b"\xfa\x01" + b"\x80\x80\x08" + b"x" * 2**17
    packed = _pack(telemetry_pb2.Process(pid=1)) + padding

    assert check_processes(packed, commands_enabled=True).packed == _pack(telemetry_pb2.Process(pid=1))


def test_command_lines_are_left_out_where_they_are_not_wanted() -> None:
    snapshot = check_processes(_pack(telemetry_pb2.Process(pid=1, command="--password=x")), commands_enabled=False)

    assert (snapshot.packed, snapshot.overflows) == (_pack(telemetry_pb2.Process(pid=1)), [])


@given(packed=st.binary(max_size=200) | st.lists(st.builds(
    telemetry_pb2.Process,
    pid=st.integers(-(2**31), 2**31 - 1),
    name=st.text(max_size=20),
    cpu_utilization=st.floats(),
    memory_rss=st.integers(0, 2**64 - 1),
), max_size=5).map(lambda processes: _pack(*processes)))  # fmt: skip
def test_whatever_comes_what_is_stored_can_be_read(packed: bytes) -> None:
    snapshot = check_processes(packed, commands_enabled=True)
    stored = telemetry_pb2.ProcessSnapshot.FromString(snapshot.packed)

    assert all(0 <= one.cpu_utilization < math.inf for one in stored.processes)
