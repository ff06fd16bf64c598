"""A server's stream as the ledger knows it: who opened it, who held it before, how its agent's spool stands. Pure."""

import uuid
from dataclasses import dataclass, field

from google.protobuf.timestamp_pb2 import Timestamp

from flick.ids import new_id
from flick.v1 import ingest_pb2

MAX_TEXT = 400  # characters of anything that an agent says in words

_LAST_MOMENT_S = 253_402_300_799  # the end of the year 9999, as far as a Timestamp goes
_MAX_NANOS = 999_999_999
_MAX_FAILING = 50  # the contract: collectors that can't measure
_MAX_HELD_BACK_S = 300  # the longest interval; agents hold back for less


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream that an agent opened.

    Attributes:
        server_id, organization_id: whose it is.
        spool_id, agent_version: as Hello says, in a form that can be stored.
        clock_offset_s: the agent's clock less ingest's at Hello; None: the agent did not tell.
        stream_id: tells it from any other.
    """

    server_id: uuid.UUID
    organization_id: uuid.UUID
    spool_id: str
    agent_version: str
    clock_offset_s: float | None
    stream_id: uuid.UUID = field(default_factory=new_id)

    @classmethod
    def from_hello(
        cls, hello: ingest_pb2.Hello, *, server_id: uuid.UUID, organization_id: uuid.UUID, now_ns: int
    ) -> "Stream":
        """The stream that `hello` opens at `now_ns` of ingest's clock, nanoseconds since the Unix epoch."""
        return cls(
            server_id=server_id,
            organization_id=organization_id,
            spool_id=storable(hello.spool_id),
            agent_version=storable(hello.agent_version),
            clock_offset_s=clock_offset_s(hello, now_ns=now_ns),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """That a stream is its server's newest.

    Attributes:
        stream: has said Hello.
        spool: as Hello tells it; None: it does not.
        said_hello_at_s: when it said Hello, in monotonic seconds of this process.
    """

    stream: Stream
    spool: ingest_pb2.SpoolStatus | None
    said_hello_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """The stream that another one took over from.

    `open`: it was heard of within 3 minutes, and had not ended but by being superseded.
    """

    stream_id: uuid.UUID
    spool_id: str
    agent_version: str
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The newest stream of a server, held by another process of ingest."""

    server_id: uuid.UUID
    stream_id: uuid.UUID
    spool_id: str
    agent_version: str


def clock_offset_s(frame: ingest_pb2.Hello | ingest_pb2.Pong, *, now_ns: int) -> float | None:
    """By how much the agent's clock was ahead of ingest's `now_ns` when it sent the frame; None: it does not tell."""
    if not frame.HasField("send_time") or not _is_moment(frame.send_time):
        return None
    return (frame.send_time.ToNanoseconds() - now_ns) / 1e9


def storable(text: str) -> str:
    """What an agent said, cut to `MAX_TEXT` characters and without NUL, which PostgreSQL has no text for."""
    return text[:MAX_TEXT].replace("\0", "\N{REPLACEMENT CHARACTER}")


def pack_spool(status: ingest_pb2.SpoolStatus) -> bytes:
    """A spool's state as it is stored: what this version knows of it, in bounds, so that every reader can show it."""
    known = ingest_pb2.SpoolStatus()
    known.CopyFrom(status)
    known.DiscardUnknownFields()
    known.degraded_reason = storable(known.degraded_reason)
    if not _is_moment(known.oldest_time):
        known.ClearField("oldest_time")
    del known.failing_collectors[_MAX_FAILING:]
    for failing in known.failing_collectors:
        failing.collector, failing.reason = storable(failing.collector), storable(failing.reason)
        if not _is_moment(failing.since_time):
            failing.ClearField("since_time")
    if not (0 <= known.held_back.seconds <= _MAX_HELD_BACK_S and 0 <= known.held_back.nanos <= _MAX_NANOS):
        known.ClearField("held_back")
    return known.SerializeToString()


def _is_moment(time: Timestamp) -> bool:
    return 0 <= time.seconds <= _LAST_MOMENT_S and 0 <= time.nanos <= _MAX_NANOS
