"""What a request is refused with, and how gRPC status codes read in HTTP.

    RefusedError                 an HTTP status, a gRPC code, a public message, details
      bad_request(...)           INVALID_ARGUMENT with a google.rpc.BadRequest that names the field
      too_large(...)             413

Table and body: google.rpc.Status as JSON, as grpc-gateway v2 answers (runtime/errors.go).
"""

from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2

HTTP_STATUS = {
    code_pb2.OK: 200,
    code_pb2.CANCELLED: 499,
    code_pb2.UNKNOWN: 500,
    code_pb2.INVALID_ARGUMENT: 400,
    code_pb2.DEADLINE_EXCEEDED: 504,
    code_pb2.NOT_FOUND: 404,
    code_pb2.ALREADY_EXISTS: 409,
    code_pb2.PERMISSION_DENIED: 403,
    code_pb2.RESOURCE_EXHAUSTED: 429,
    code_pb2.FAILED_PRECONDITION: 400,
    code_pb2.ABORTED: 409,
    code_pb2.OUT_OF_RANGE: 400,
    code_pb2.UNIMPLEMENTED: 501,
    code_pb2.INTERNAL: 500,
    code_pb2.UNAVAILABLE: 503,
    code_pb2.DATA_LOSS: 500,
    code_pb2.UNAUTHENTICATED: 401,
}


def http_status(code: int) -> int:
    """The HTTP status of a gRPC code; 500 for a code that gRPC does not define."""
    return HTTP_STATUS.get(code, 500)


class RefusedError(Exception):
    """A request that the transcoder itself answers with an error. Every text in it is public."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        status: int | None = None,
        details: tuple[Message, ...] = (),
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = http_status(code) if status is None else status
        self.details = details
        self.headers = headers


def bad_request(field: str, description: str) -> RefusedError:
    """400 that names the field, in the message and as a google.rpc.BadRequest."""
    violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=description)
    message = f"{field}: {description}" if field else description
    return RefusedError(
        code_pb2.INVALID_ARGUMENT, message, details=(error_details_pb2.BadRequest(field_violations=[violation]),)
    )


def too_large(limit_bytes: int) -> RefusedError:
    """413 for a body, or for one message of a stream."""
    message = f"the request body is larger than {limit_bytes} bytes"
    return RefusedError(code_pb2.INVALID_ARGUMENT, message, status=413)
