"""How a stream ended, which decides when and whether the agent comes back."""

from dataclasses import dataclass
from enum import Enum

import grpc

from flick.v1 import ingest_pb2

_NS = 1_000_000_000
_STOPPED_S = 1.0  # what a stopping ingest asks others to stay away at most, too
_FOR_GOOD = (ingest_pb2.FATAL_CODE_REVOKED, ingest_pb2.FATAL_CODE_SUPERSEDED)
_KEY_REFUSED = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


class EndKind(Enum):
    """The ways to end."""

    DRAINED = "drained"
    """Ingest asked the agent to move; it comes back when ingest said."""
    STOPPED = "stopped"
    """The agent itself stops."""
    FAILED = "failed"
    """Lost, silent, or refused for a reason that may pass."""
    UNREACHABLE = "unreachable"
    """Never came to be, for a reason below gRPC, which does not tell it."""
    REFUSED = "refused"
    """Ingest does not want this agent with this key; coming back sooner can't help."""


@dataclass(frozen=True, slots=True)
class Ending:
    """An end.

    Args:
        kind: which.
        text: what happened and what helps, for the operator.
        come_back_s: when ingest wants the agent back, for DRAINED.
    """

    kind: EndKind
    text: str = ""
    come_back_s: float = 0.0


class StreamEndedError(Exception):
    """The stream ends, and how. Raised inside the stream only."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.text)
        self.ending = ending


def ending_by_drain(drain: ingest_pb2.Drain) -> Ending:
    """Ingest asked the agent to move."""
    return Ending(EndKind.DRAINED, come_back_s=max(0.0, drain.reconnect_after.ToNanoseconds() / _NS))


def ending_by_fatal(fatal: ingest_pb2.Fatal) -> Ending:
    """Ingest said why it ends the stream."""
    if fatal.code in _FOR_GOOD:
        return Ending(EndKind.REFUSED, fatal.message)
    return Ending(EndKind.FAILED, f"ingest refused: {fatal.message}")


def ending_by_status(error: grpc.aio.AioRpcError, *, welcomed: bool) -> Ending:
    """The call ended by itself, before or after Welcome."""
    code, details = error.code(), error.details() or ""
    if code in _KEY_REFUSED:
        return Ending(EndKind.REFUSED, details)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return Ending(EndKind.FAILED, "what answers there is no FLick ingest; check ingest_address in the identity")
    if code is grpc.StatusCode.CANCELLED and not welcomed:  # so gRPC answers a call that meets a server which stops
        return Ending(EndKind.DRAINED, come_back_s=_STOPPED_S)
    if code is grpc.StatusCode.UNAVAILABLE and not welcomed:
        return Ending(EndKind.UNREACHABLE, details)
    return Ending(EndKind.FAILED, f"{code.name}: {details}")
