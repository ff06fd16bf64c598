"""What the ledger decides without a database: whose replays are whose, what is stored of what agents say."""

import uuid
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.clock import SystemClock, utc
from flick.v1 import delivery_pb2, ingest_pb2
from services.ingest.ledger.events import Event, Events
from services.ingest.ledger.outcomes import Outcome, OutcomeKey, Outcomes, of_replay
from services.ingest.ledger.store import News
from services.ingest.ledger.streams import Stream, pack_spool, storable

OWNERS = [(uuid.UUID(int=number), uuid.UUID(int=100 + number)) for number in range(3)]
KINDS = [delivery_pb2.DELIVERY_EVENT_KIND_CLOCK_OFFSET, delivery_pb2.DELIVERY_EVENT_KIND_KEY_REVOKED]


def _stream(number: int = 0) -> Stream:
    server_id, organization_id = OWNERS[number]
    return Stream(
        server_id=server_id, organization_id=organization_id, spool_id="s", agent_version="1", clock_offset_s=None
    )


@given(st.lists(st.tuples(st.sampled_from(OWNERS), st.sampled_from(["new", "duplicate", "conflict"]))))
def test_every_sample_of_a_replay_is_new_or_counted_for_its_server(
    samples: list[tuple[tuple[uuid.UUID, uuid.UUID], str]],
) -> None:
    added = Counter(owner[0] for owner, fate in samples if fate == "new")
    conflicts = [position for position, (_, fate) in enumerate(samples) if fate == "conflict"]
    expected = Counter(OutcomeKey(*owner, Outcome(fate)) for owner, fate in samples if fate != "new")

    assert of_replay([owner for owner, _ in samples], added=added, conflicts=conflicts) == expected


def test_what_is_in_conflict_although_it_is_new_is_no_negative_count() -> None:
    outcomes = of_replay([OWNERS[0]], added={OWNERS[0][0]: 1}, conflicts=[0])

    assert outcomes == Outcomes({OutcomeKey(*OWNERS[0], Outcome.CONFLICT): 1})


@given(st.text(max_size=1000))
def test_whatever_an_agent_says_postgresql_can_store(text: str) -> None:
    stored = storable(text)

    assert len(stored) == min(len(text), 400)
    assert "\0" not in stored


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1))
def test_a_time_that_is_none_is_left_out_of_a_spool_s_state(seconds: int, nanos: int) -> None:
    status = ingest_pb2.SpoolStatus(held_samples=1)
    status.oldest_time.seconds, status.oldest_time.nanos = seconds, nanos
    packed = ingest_pb2.SpoolStatus.FromString(pack_spool(status))
    possible = 0 <= seconds <= 253_402_300_799 and 0 <= nanos < 10**9

    assert packed.held_samples == 1
    assert packed.HasField("oldest_time") == possible
    assert not packed.HasField("oldest_time") or packed.oldest_time.ToJsonString()


@pytest.mark.parametrize(
    ("seconds", "nanos", "possible"),
    [(0, 980_000_000, True), (0, 0, True), (-1, 0, False), (0, -5, False), (0, 10**9, False), (2**62, 0, False)],
)
def test_an_impossible_time_held_back_is_left_out_of_a_spool_s_state(seconds: int, nanos: int, possible: bool) -> None:
    status = ingest_pb2.SpoolStatus(held_samples=1)
    status.held_back.seconds, status.held_back.nanos = seconds, nanos
    packed = ingest_pb2.SpoolStatus.FromString(pack_spool(status))

    assert packed.held_samples == 1
    assert packed.HasField("held_back") == possible


def test_what_an_agent_can_t_measure_is_stored_within_bounds() -> None:
    status = ingest_pb2.SpoolStatus()
    for number in range(70):
        failing = status.failing_collectors.add(collector=f"c{number}\0", reason="y" * 999)
        failing.since_time.seconds = -1 if number else 1_700_000_000
    packed = ingest_pb2.SpoolStatus.FromString(pack_spool(status)).failing_collectors

    assert len(packed) == 50
    assert (packed[1].collector, packed[1].reason) == ("c1\N{REPLACEMENT CHARACTER}", "y" * 400)
    assert [one.HasField("since_time") for one in packed[:2]] == [True, False]


def test_what_this_version_does_not_know_of_a_spool_is_not_stored() -> None:
    known = ingest_pb2.SpoolStatus(held_bytes=3).SerializeToString()
    with_a_later_field = b"\xfa\x07\x02hi" + known  # field 127 with two bytes

    assert pack_spool(ingest_pb2.SpoolStatus.FromString(with_a_later_field)) == known


def test_the_clock_offset_is_the_agent_s_clock_less_ingest_s() -> None:
    hello = ingest_pb2.Hello(spool_id="a\0b", agent_version="1.2")
    hello.send_time.FromNanoseconds(1_500_000_000)
    stream = Stream.from_hello(hello, server_id=OWNERS[0][0], organization_id=OWNERS[0][1], now_ns=4_000_000_000)
    silent = Stream.from_hello(ingest_pb2.Hello(), server_id=OWNERS[0][0], organization_id=OWNERS[0][1], now_ns=0)

    assert (stream.clock_offset_s, stream.spool_id, stream.agent_version) == (
        -2.5,
        "a\N{REPLACEMENT CHARACTER}b",
        "1.2",
    )
    assert silent.clock_offset_s is None


def test_events_of_a_kind_and_server_are_one_that_counts() -> None:
    events, now = Events(), utc(SystemClock())
    for number in (1, 0, 1):
        for kind in KINDS:
            events.add(Event(stream=_stream(number), time=now, kind=kind, detail="x"))
    taken = events.take()
    events.add(Event(stream=_stream(1), time=now, kind=KINDS[0], detail="later"))
    events.put_back(taken)
    again = events.take()

    assert [(one.stream.server_id, one.kind, one.count) for one in again] == [
        (OWNERS[0][0], KINDS[0], 1),
        (OWNERS[0][0], KINDS[1], 1),
        (OWNERS[1][0], KINDS[0], 3),
        (OWNERS[1][0], KINDS[1], 2),
    ]
    assert {one.detail for one in again} == {"x"}, "the first is told"
    assert events.take() == []


def test_news_of_a_stream_add_up() -> None:
    now, stream = utc(SystemClock()), _stream()
    reported = News(stream=stream, spool=b"1", spool_at=now)
    ended = reported.followed_by(News(stream=stream, ended_at=now, end_reason="client"))
    told_again = reported.followed_by(News(stream=stream, spool=b"2", spool_at=now))

    assert (ended.spool, ended.spool_at, ended.ended_at, ended.end_reason) == (b"1", now, now, "client")
    assert (told_again.spool, told_again.ended_at) == (b"2", None)
