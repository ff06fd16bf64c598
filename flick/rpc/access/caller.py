"""Who is calling: what a verified credential says, for the length of one call."""

from contextvars import ContextVar
from dataclasses import dataclass

from flick.errors import FlickError, Kind
from flick.v1 import options_pb2


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The party behind a call. Only the fields of its kind are set.

    Attributes:
        kind: what kind of party.
        user_id, session_id: of a person.
        key_id, server_id, organization_id: of an agent.
        service: name of one of FLick's services.
        expire_time_s: when the credential ends, seconds since the Unix epoch; 0: it does not end by itself.
    """

    kind: options_pb2.CallerKind.ValueType
    user_id: str = ""
    session_id: str = ""
    key_id: str = ""
    server_id: str = ""
    organization_id: str = ""
    service: str = ""
    expire_time_s: int = 0


ANONYMOUS = Caller(kind=options_pb2.CALLER_KIND_ANONYMOUS)

_current: ContextVar[Caller] = ContextVar("caller")


def set_caller(caller: Caller) -> None:
    """Remember who makes the call that this task handles."""
    _current.set(caller)


def current_caller() -> Caller:
    """Who makes the call that this task handles. Only within a handler."""
    try:
        return _current.get()
    except LookupError:
        raise FlickError(Kind.INTERNAL, "The caller is not known here.", private="no access aspect") from None
