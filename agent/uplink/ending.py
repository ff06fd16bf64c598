"""How a stream ended, which decides when and whether the agent comes back."""

from dataclasses import dataclass
from enum import Enum


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
