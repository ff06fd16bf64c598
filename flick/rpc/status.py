"""`FlickError` to google.rpc.Status and back, so that an error is the same on both ends of a call."""

from typing import TypeVar

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from flick.errors import FlickError, Kind, Violation

DETAILS_KEY = "grpc-status-details-bin"
ERROR_DOMAIN = "flick"

T = TypeVar("T", bound=Message)

_BY_CODE = {kind.grpc_code: kind for kind in Kind}
_GRPC_STATUS = {code.value[0]: code for code in grpc.StatusCode}


def grpc_status(kind: Kind) -> grpc.StatusCode:
    """grpcio's name of a kind."""
    return _GRPC_STATUS[kind.grpc_code]


def to_status(error: FlickError) -> status_pb2.Status:
    """The public part of `error`, with ErrorInfo and, where they apply, BadRequest and RetryInfo."""
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN)]
    if error.violations:
        fields = [
            error_details_pb2.BadRequest.FieldViolation(field=violation.field, description=violation.description)
            for violation in error.violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=fields))
    if error.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(error.retry_after_s * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return status_pb2.Status(
        code=code_pb2.Code.ValueType(error.kind.grpc_code),
        message=error.public,
        details=[_pack(one) for one in details],
    )


def from_rpc_error(error: grpc.aio.AioRpcError) -> FlickError:
    """The error that a server of FLick sent; from any other server its code and text."""
    kind = _BY_CODE.get(error.code().value[0], Kind.UNKNOWN)
    status = status_pb2.Status()
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                status.ParseFromString(value)
            except DecodeError:
                break
    return FlickError(
        kind,
        status.message or error.details() or kind.name,
        reason=next((info.reason for info in _unpack(status, error_details_pb2.ErrorInfo)), ""),
        violations=[
            Violation(field=one.field, description=one.description)
            for request in _unpack(status, error_details_pb2.BadRequest)
            for one in request.field_violations
        ],
        retry_after_s=next(
            (info.retry_delay.ToNanoseconds() / 1e9 for info in _unpack(status, error_details_pb2.RetryInfo)), None
        ),
    )


def _pack(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def _unpack(status: status_pb2.Status, kind: type[T]) -> list[T]:
    found = []
    for detail in status.details:
        message = kind()
        if detail.Unpack(message):
            found.append(message)
    return found
