"""Which state each server of a fleet is in, by the contract's thresholds. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias

from flick.v1 import query_pb2

LATE_AFTER_INTERVALS = 3
OFFLINE_AFTER_US = 60_000_000
DEFAULT_INTERVAL_US = 5_000_000  # the contract's default of ServerSettings.metric_interval

State: TypeAlias = query_pb2.ServerState.ValueType


def state(*, last_us: int | None, now_us: int, interval_us: int) -> State:
    """The state of a server whose newest sample was measured at `last_us`; None: it never sent any.

    Online up to three intervals, late for less than a minute after that, then offline.
    """
    if last_us is None:
        return query_pb2.SERVER_STATE_NEVER_SEEN
    late_us = now_us - last_us - LATE_AFTER_INTERVALS * interval_us
    if late_us <= 0:
        return query_pb2.SERVER_STATE_ONLINE
    return query_pb2.SERVER_STATE_LATE if late_us < OFFLINE_AFTER_US else query_pb2.SERVER_STATE_OFFLINE


def summarize(states: Mapping[str, tuple[State, int | None]]) -> query_pb2.SummarizeServersResponse:
    """The answer for servers by id, each with its state and the time of its newest sample in microseconds."""
    counts = Counter(found for found, _ in states.values())
    answer = query_pb2.SummarizeServersResponse(
        total_count=len(states),
        online_count=counts[query_pb2.SERVER_STATE_ONLINE],
        late_count=counts[query_pb2.SERVER_STATE_LATE],
        offline_count=counts[query_pb2.SERVER_STATE_OFFLINE],
        never_seen_count=counts[query_pb2.SERVER_STATE_NEVER_SEEN],
    )
    for server_id, (found, last_us) in sorted(states.items()):
        status = answer.servers.add(server_id=server_id, state=found)
        if last_us is not None:
            status.last_sample_time.FromMicroseconds(last_us)
    return answer
