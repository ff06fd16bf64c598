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


def test_the_summary_counts_and_lists_every_server_by_id() -> None:
    answer = fleet.summarize(
        {
            "c": (query_pb2.SERVER_STATE_OFFLINE, 5),
            "a": (query_pb2.SERVER_STATE_ONLINE, NOW_US),
            "b": (query_pb2.SERVER_STATE_NEVER_SEEN, None),
            "d": (query_pb2.SERVER_STATE_ONLINE, NOW_US),
            "e": (query_pb2.SERVER_STATE_LATE, 7),
        }
    )

    assert (answer.total_count, answer.online_count, answer.late_count) == (5, 2, 1)
    assert (answer.offline_count, answer.never_seen_count) == (1, 1)
    assert [one.server_id for one in answer.servers] == ["a", "b", "c", "d", "e"]
    assert answer.servers[0].last_sample_time.ToMicroseconds() == NOW_US
    assert not answer.servers[1].HasField("last_sample_time")
