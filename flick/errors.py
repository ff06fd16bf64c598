"""The one error type that crosses FLick's parts, and what each kind of error is called in gRPC and HTTP.

An error has a public text, sent to the caller, and a private one, only logged. Everything that is not a `FlickError`
reaches callers as INTERNAL with a fixed sentence (`flick.rpc.faults`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What went wrong. Values: the gRPC status number and the HTTP status, as google.rpc.Code maps them."""

    CANCELLED = (1, 499)
    UNKNOWN = (2, 500)
    INVALID_ARGUMENT = (3, 400)
    DEADLINE_EXCEEDED = (4, 504)
    NOT_FOUND = (5, 404)
    ALREADY_EXISTS = (6, 409)
    PERMISSION_DENIED = (7, 403)
    RESOURCE_EXHAUSTED = (8, 429)
    FAILED_PRECONDITION = (9, 400)
    ABORTED = (10, 409)
    OUT_OF_RANGE = (11, 400)
    UNIMPLEMENTED = (12, 501)
    INTERNAL = (13, 500)
    UNAVAILABLE = (14, 503)
    DATA_LOSS = (15, 500)
    UNAUTHENTICATED = (16, 401)

    @property
    def grpc_code(self) -> int:
        """The number of the gRPC status."""
        return self.value[0]

    @property
    def http_status(self) -> int:
        """The HTTP status."""
        return self.value[1]


@dataclass(frozen=True)
class Violation:
    """A field that holds something wrong, and what to write there instead."""

    field: str
    description: str


class FlickError(Exception):
    """An error that a caller may see.

    Args:
        kind: what went wrong.
        public: one sentence for the caller: what is wrong and how to mend it.
        private: what only the log may say.
        reason: a stable name in UPPER_SNAKE_CASE for programs; empty: the kind's name.
        violations: the fields that are to blame, for INVALID_ARGUMENT.
        retry_after_s: when the caller may try again, in seconds.
    """

    def __init__(
        self,
        kind: Kind,
        public: str,
        *,
        private: str = "",
        reason: str = "",
        violations: Sequence[Violation] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(public)
        self.kind = kind
        self.public = public
        self.private = private
        self.reason = reason or kind.name
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s


def invalid(field: str, description: str) -> FlickError:
    """INVALID_ARGUMENT for one field; `description` says what is wrong and what to write instead."""
    return FlickError(
        Kind.INVALID_ARGUMENT, f"{field}: {description}", violations=[Violation(field=field, description=description)]
    )


def not_found(subject: str) -> FlickError:
    """NOT_FOUND. The same for what does not exist and for what the caller may not know of."""
    return FlickError(Kind.NOT_FOUND, f"There is no such {subject}.")


def unauthenticated(public: str, *, private: str = "", reason: str = "") -> FlickError:
    """UNAUTHENTICATED: the caller is not known."""
    return FlickError(Kind.UNAUTHENTICATED, public, private=private, reason=reason)


def unavailable(public: str, *, private: str = "", retry_after_s: float = 1.0) -> FlickError:
    """UNAVAILABLE: something FLick needs does not answer now; the same call may succeed later."""
    return FlickError(Kind.UNAVAILABLE, public, private=private, retry_after_s=retry_after_s)
