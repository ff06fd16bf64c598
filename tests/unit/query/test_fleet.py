"""When a server is online, late, offline or was never seen."""

import pytest

from flick.v1 import query_pb2
from services.query.rules import fleet

NOW_US = 1_790_000_000_000_000
SECOND_US = 1_000_000


@pytest.mark.parametrize(
    ("age_us", "interval_s", "state"),
    [
        (None, 5, query_pb2.SERVER_STATE_NEVER_SEEN),
        (-10 * SECOND_US, 5, query_pb2.SERVER_STATE_ONLINE),
        (0, 5, query_pb2.SERVER_STATE_ONLINE),
        (15 * SECOND_US, 5, query_pb2.SERVER_STATE_ONLINE),
        (15 * SECOND_US + 1, 5, query_pb2.SERVER_STATE_LATE),
        (75 * SECOND_US - 1, 5, query_pb2.SERVER_STATE_LATE),
        (75 * SECOND_US, 5, query_pb2.SERVER_STATE_OFFLINE),
        (4 * SECOND_US, 1, query_pb2.SERVER_STATE_LATE),
        (900 * SECOND_US, 300, query_pb2.SERVER_STATE_ONLINE),
        (10**15, 300, query_pb2.SERVER_STATE_OFFLINE),
    ],
)
def test_state_follows_the_age_of_the_newest_sample(
    age_us: int | None, interval_s: int, state: query_pb2.ServerState.ValueType
) -> None:
    last_us = None if age_us is None else NOW_US - age_us

    assert fleet.state(last_us=last_us, now_us=NOW_US, interval_us=interval_s * SECOND_US) == state


STATUSES = {
    "c": fleet.Status(state=query_pb2.SERVER_STATE_OFFLINE, last_us=5, reason="gone"),
    "a": fleet.Status(state=query_pb2.SERVER_STATE_ONLINE, last_us=NOW_US),
    "b": fleet.Status(state=query_pb2.SERVER_STATE_NEVER_SEEN, last_us=None),
    "d": fleet.Status(state=query_pb2.SERVER_STATE_ONLINE, last_us=NOW_US),
    "e": fleet.Status(state=query_pb2.SERVER_STATE_LATE, last_us=7),
}


def test_the_summary_counts_and_lists_every_server_by_id() -> None:
    answer = fleet.summarize(STATUSES)

    assert (answer.total_count, answer.online_count, answer.late_count) == (5, 2, 1)
    assert (answer.offline_count, answer.never_seen_count) == (1, 1)
    assert [one.server_id for one in answer.servers] == ["a", "b", "c", "d", "e"]
    assert answer.servers[0].last_sample_time.ToMicroseconds() == NOW_US
    assert not answer.servers[1].HasField("last_sample_time")
    assert [one.reason for one in answer.servers] == ["", "", "gone", "", ""]


def test_only_servers_in_the_wanted_states_are_listed_but_all_are_counted() -> None:
    answer = fleet.summarize(STATUSES, listed={query_pb2.SERVER_STATE_OFFLINE, query_pb2.SERVER_STATE_LATE})

    assert [one.server_id for one in answer.servers] == ["c", "e"]
    assert (answer.total_count, answer.online_count) == (5, 2)


def stream(*, ended_s: int | None = None, end_reason: str = "", connected: bool = False) -> fleet.Stream:
    ended_us = None if ended_s is None else NOW_US - ended_s * SECOND_US
    opened_us = NOW_US - 3 * 3600 * SECOND_US
    return fleet.Stream(opened_us=opened_us, ended_us=ended_us, end_reason=end_reason, connected=connected)


@pytest.mark.parametrize(
    ("silent_s", "newest", "words"),
    [
        (None, None, "it never sent a sample; its agent never connected"),
        (None, stream(connected=True), "it never sent a sample; its agent has been connected for 3 h"),
        (180, stream(ended_s=179, end_reason="client"), "no sample for 3 min; its agent stopped 2 min ago"),
        (20, stream(ended_s=19, end_reason="error"), "no sample for 20 s; its connection broke 19 s ago"),
        (20, stream(ended_s=19, end_reason="new"), "no sample for 20 s; its stream ended 19 s ago"),
        (60, stream(ended_s=-5, end_reason="revoked"), "no sample for 60 s; its agent's key was revoked 0 s ago"),
        (
            400_000,
            stream(),
            "no sample for 4 d; nothing is heard of its agent, which connected 3 h ago",
        ),
    ],
)
def test_why_a_server_is_not_online_is_said_in_words(
    silent_s: int | None, newest: fleet.Stream | None, words: str
) -> None:
    last_us = None if silent_s is None else NOW_US - silent_s * SECOND_US

    assert fleet.reason(last_us=last_us, now_us=NOW_US, stream=newest) == words
