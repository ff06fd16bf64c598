"""Samples to rows: nothing that breaks a rule becomes a row, everything else keeps its values."""

import math
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.v1 import ingest_pb2, telemetry_pb2
from services.ingest.intake.layouts import StoredLayout
from services.ingest.intake.overflows import Overflows
from services.ingest.intake.rejections import Rejections
from services.ingest.intake.samples import CORE_COUNT, DAY_NS, FUTURE_TOLERANCE_NS, Context, Owner, Row, to_rows
from tests.unit.ingest.copied import metrics, processes

NOW_NS = 1_800_000_000 * 10**9
OWNER = Owner(server_id=uuid.UUID(int=1), organization_id=uuid.UUID(int=2))
SERIES = ingest_pb2.OVERFLOW_KIND_SERIES
LAYOUTS = {
    3: StoredLayout(layout_id=30, series_count=2, kept_count=2),
    4: StoredLayout(series_count=0, fault="It is odd."),
    5: StoredLayout(layout_id=50, series_count=3, kept_count=1, kind=SERIES, detail="One at most."),
    6: StoredLayout(series_count=2, kind=ingest_pb2.OVERFLOW_KIND_LAYOUTS, detail="No room."),
}
FIRST_CORE = 4  # after time, server, organization and time of receipt


def _read(*samples: telemetry_pb2.Sample, **settings: Any) -> tuple[list[Row], Rejections]:
    rows, rejections, _ = _read_all(*samples, **settings)
    return rows, rejections


def _read_all(*samples: telemetry_pb2.Sample, **settings: Any) -> tuple[list[Row], Rejections, Overflows]:
    context = Context(
        owner=OWNER,
        layout=LAYOUTS.get,
        **{"retention_days": 30, "processes_enabled": True, "process_commands_enabled": True, **settings},
    )
    rejections, overflows = Rejections(), Overflows()
    rows = to_rows(samples, context=context, now_ns=NOW_NS, rejections=rejections, overflows=overflows)
    return rows, rejections, overflows


def _sample(time_ns: int = NOW_NS, **fields: Any) -> telemetry_pb2.Sample:
    return telemetry_pb2.Sample(time_unix_nano=time_ns, **fields)


def _processes(*commands: str) -> bytes:
    processes = [telemetry_pb2.Process(pid=pid, command=command) for pid, command in enumerate(commands)]
    return telemetry_pb2.ProcessSnapshot(processes=processes).SerializeToString()


def test_a_row_says_whose_sample_it_is_and_when() -> None:
    (row,), rejections = _read(_sample(NOW_NS - 1_500))

    assert metrics(row.metrics)[:FIRST_CORE] == (
        datetime.fromtimestamp(NOW_NS / 1e9, tz=UTC) - timedelta(microseconds=2),
        *OWNER,
        datetime.fromtimestamp(NOW_NS / 1e9, tz=UTC),
    )
    assert rejections.counts == {}


@given(values=st.lists(st.floats(min_value=-1e300, max_value=1e300) | st.just(math.nan), max_size=2 * CORE_COUNT))
def test_core_values_keep_their_places_and_what_is_missing_is_none(values: list[float]) -> None:
    (row,), _ = _read(_sample(core=values))
    core = metrics(row.metrics)[FIRST_CORE:-2]
    expected = [None if math.isnan(value) else value for value in values][:CORE_COUNT]

    assert list(core) == expected + [None] * (CORE_COUNT - len(expected))


@given(values=st.lists(st.floats(width=32, allow_infinity=False), min_size=2, max_size=2))
def test_labelled_values_go_with_the_stored_layout(values: list[float]) -> None:
    (row,), _ = _read(_sample(layout_id=3, labelled=values))

    assert metrics(row.metrics)[-2:] == (30, [None if math.isnan(value) else value for value in values])
    assert row.sample.layout_id == 30


@pytest.mark.parametrize("field", ["core", "labelled"])
@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_an_infinite_value_is_malformed(field: str, value: float) -> None:
    fields: dict[str, Any] = {"layout_id": 3, "labelled": [0, 0], field: [0, value]}
    rows, rejections = _read(_sample(**fields))

    assert (rows, rejections.counts) == ([], {ingest_pb2.REJECTION_REASON_MALFORMED: 1})
    assert rejections.details[ingest_pb2.REJECTION_REASON_MALFORMED].startswith(f"samples[0].{field}[1] is {value}.")


def test_values_that_could_not_be_added_up_are_malformed() -> None:
    rows, rejections = _read(_sample(core=[1e300]), _sample(core=[-1e301]))

    assert (len(rows), rejections.counts) == (1, {ingest_pb2.REJECTION_REASON_MALFORMED: 1})


@given(offset_ns=st.integers(-2 * DAY_NS, 2 * FUTURE_TOLERANCE_NS))
def test_only_times_between_the_retention_and_ten_seconds_ahead_are_taken(offset_ns: int) -> None:
    rows, rejections = _read(_sample(NOW_NS + offset_ns), retention_days=1)
    expected = {}
    if offset_ns > FUTURE_TOLERANCE_NS:
        expected = {ingest_pb2.REJECTION_REASON_FUTURE: 1}
    elif offset_ns < -DAY_NS:
        expected = {ingest_pb2.REJECTION_REASON_TOO_OLD: 1}

    assert rejections.counts == expected
    assert len(rows) + len(expected) == 1


@pytest.mark.parametrize("time_ns", [0, 1, 2**63, 2**64 - 1])
def test_a_time_of_another_age_is_rejected(time_ns: int) -> None:
    rows, rejections = _read(_sample(time_ns))

    assert (rows, sum(rejections.counts.values())) == ([], 1)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"layout_id": 9, "labelled": [1]}, "layout_id 9 was not declared"),
        ({"labelled": [1]}, "layout_id 0 was not declared"),
        ({"layout_id": 9}, "layout_id 9 was not declared"),
        ({"layout_id": 3, "labelled": [1]}, "labelled has 1 values, layout 3 has 2 series"),
        ({"layout_id": 4, "labelled": [1]}, "layout_id 4: It is odd."),
    ],
)
def test_labelled_values_without_a_fitting_layout_are_rejected(fields: dict[str, Any], words: str) -> None:
    rows, rejections = _read(_sample(**fields))

    assert rows == []
    assert words in rejections.details[ingest_pb2.REJECTION_REASON_LAYOUT]


def test_processes_stay_packed_and_viewers_do_not_get_them() -> None:
    packed = _processes("a", "b")
    (row,), _ = _read(_sample(processes=packed))

    assert (processes(row.processes), row.sample.processes) == (packed, b"")


def test_processes_that_the_settings_forbid_are_left_out() -> None:
    (row,), rejections = _read(_sample(processes=_processes("a")), processes_enabled=False)

    assert (processes(row.processes), rejections.counts) == (b"", {})


def test_command_lines_that_the_settings_forbid_are_left_out() -> None:
    (row,), _ = _read(_sample(processes=_processes("--password=x")), process_commands_enabled=False)

    assert processes(row.processes) == _processes("")


def test_values_that_the_layout_has_no_place_for_are_left_out() -> None:
    (row,), rejections, overflows = _read_all(_sample(layout_id=5, labelled=[1, 2, math.nan]))

    assert (metrics(row.metrics)[-2:], list(row.sample.labelled)) == ((50, [1.0]), [1.0])
    assert (rejections.counts, overflows.counts) == ({}, {SERIES: 2})
    assert overflows.details == {SERIES: "samples[0]: One at most."}


def test_without_room_for_a_layout_everything_else_is_stored() -> None:
    (row,), rejections, overflows = _read_all(
        _sample(core=[0.5], layout_id=6, labelled=[1, 2], processes=_processes("a"))
    )
    stored = metrics(row.metrics)

    assert (stored[FIRST_CORE], stored[-2:], processes(row.processes)) == (0.5, (None, None), _processes("a"))
    assert (row.sample.layout_id, list(row.sample.labelled)) == (0, [])
    assert (rejections.counts, overflows.counts) == ({}, {ingest_pb2.OVERFLOW_KIND_LAYOUTS: 2})


def test_processes_that_are_wrong_are_left_out_and_their_sample_is_stored() -> None:
    (row,), rejections, overflows = _read_all(_sample(core=[0.5], processes=b"\xff\xff\xff"))

    assert (metrics(row.metrics)[FIRST_CORE], processes(row.processes), rejections.counts) == (0.5, b"", {})
    assert overflows.counts == {ingest_pb2.OVERFLOW_KIND_MALFORMED: 1}


def test_nothing_is_said_to_be_left_out_of_a_sample_that_is_refused() -> None:
    rows, rejections, overflows = _read_all(_sample(layout_id=5, labelled=[math.inf, 2, 3]))

    assert (rows, rejections.counts) == ([], {ingest_pb2.REJECTION_REASON_MALFORMED: 1})
    assert overflows.counts == {}


def test_an_ack_tells_what_was_left_out_once_for_each_limit() -> None:
    *_, overflows = _read_all(
        *(_sample(NOW_NS - at, layout_id=5, labelled=[1, 2, 3]) for at in range(2)), _sample(processes=b"\xff")
    )

    assert [(one.seq, one.kind, one.count) for one in overflows.to_messages(seq=8)] == [
        (8, SERIES, 4),
        (8, ingest_pb2.OVERFLOW_KIND_MALFORMED, 1),
    ]


def test_an_ack_tells_each_reason_once_with_its_count_and_the_first_in_words() -> None:
    rows, rejections = _read(_sample(0), _sample(), _sample(1), _sample(2**63))

    assert len(rows) == 1
    assert [(one.seq, one.reason, one.count) for one in rejections.to_messages(seq=8)] == [
        (8, ingest_pb2.REJECTION_REASON_TOO_OLD, 2),
        (8, ingest_pb2.REJECTION_REASON_FUTURE, 1),
    ]
    assert rejections.to_messages(seq=8)[0].detail.startswith("samples[0].time_unix_nano")
