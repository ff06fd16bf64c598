"""Which state each server of a fleet is in, by the contract's thresholds. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from flick.v1 import query_pb2

LATE_AFTER_INTERVALS = 3
OFFLINE_AFTER_US = 60_000_000
DEFAULT_INTERVAL_US = 5_000_000  # the contract's default of ServerSettings.metric_interval

# How a stream ends, by the reason that ingest keeps (flick.v1.DeliveryStream.end_reason), in words.
_ENDINGS: Mapping[str, str] = {
    "client": "its agent stopped",
    "moved": "its agent was to connect anew",
    "superseded": "another agent took its place",
    "revoked": "its agent's key was revoked",
    "protocol": "its agent was refused for what it sent",
    "silent": "its agent fell silent",
    "drained": "ingest stopped",
    "error": "its connection broke",
}

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The newest stream of a server's agent. Times in microseconds; `ended_us` is None while it has not ended."""

    opened_us: int
    ended_us: int | None
    end_reason: str
    connected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A server's state, when its newest sample was measured in microseconds, and why it is not online."""

    state: State
    last_us: int | None
    reason: str = ""


def reason(*, last_us: int | None, now_us: int, stream: Stream | None) -> str:
    """Why a server is not online, in words.

    Args:
        last_us: when its newest sample was measured; None: it never sent any.
        now_us: this moment.
        stream: its agent's newest stream; None: it never opened any.
    """
    silence = "it never sent a sample" if last_us is None else f"no sample for {_span(now_us - last_us)}"
    if stream is None:
        return f"{silence}; its agent never connected"
    if stream.ended_us is not None:
        ended = _ENDINGS.get(stream.end_reason, "its stream ended")
        return f"{silence}; {ended} {_span(now_us - stream.ended_us)} ago"
    if stream.connected:
        return f"{silence}; its agent has been connected for {_span(now_us - stream.opened_us)}"
    return f"{silence}; nothing is heard of its agent, which connected {_span(now_us - stream.opened_us)} ago"


def _span(us: int) -> str:
    seconds = max(0, us) // 1_000_000
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // size} {unit}"
    return f"{seconds // 86_400} d"


def summarize(statuses: Mapping[str, Status], *, listed: Collection[State] = ()) -> query_pb2.SummarizeServersResponse:
    """The answer for servers by id. All are counted; where `listed` names states, only servers in these are listed."""
    counts = Counter(status.state for status in statuses.values())
    answer = query_pb2.SummarizeServersResponse(
        total_count=len(statuses),
        online_count=counts[query_pb2.SERVER_STATE_ONLINE],
        late_count=counts[query_pb2.SERVER_STATE_LATE],
        offline_count=counts[query_pb2.SERVER_STATE_OFFLINE],
        never_seen_count=counts[query_pb2.SERVER_STATE_NEVER_SEEN],
    )
    for server_id, status in sorted(statuses.items()):
        if listed and status.state not in listed:
            continue
        one = answer.servers.add(server_id=server_id, state=status.state, reason=status.reason)
        if status.last_us is not None:
            one.last_sample_time.FromMicroseconds(status.last_us)
    return answer
