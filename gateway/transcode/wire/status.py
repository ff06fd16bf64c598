"""Errors as they leave: google.rpc.Status in JSON with its details expanded, under the HTTP status of its code."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import grpc.aio
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, status_pb2

from gateway.transcode.codec.encode import EncoderSet, json_bytes
from gateway.transcode.errors import RefusedError, http_status
from gateway.transcode.wire.headers import response_headers

_DETAILS_KEY = "grpc-status-details-bin"
_UNMARSHALLABLE = b'{"code": 13, "message": "failed to marshal error message"}'
INTERNAL_TEXT = "internal error"
"""All that a client learns of a failure that carries no status of its own."""
_UNREACHABLE_TEXT = "the service cannot be reached at the moment"
# What the gRPC library itself says when a connection fails names addresses and ports of the inside.
_CONNECTION_TEXT = re.compile(
    r"failed to connect|\b(ipv[46]|unix|dns|vsock):|[Ss]ocket closed|recvmsg|[Cc]onnection re"
)


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An error ready to be sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def line(self) -> bytes:
        """The same error as one line of a stream."""
        return b'{"error":' + self.body + b"}\n"


class ErrorWriter:
    """Turns whatever went wrong into an answer."""

    def __init__(self, encoders: EncoderSet) -> None:
        self._expand = encoders.message(any_pb2.Any.DESCRIPTOR)

    def of_refusal(self, refusal: RefusedError) -> ErrorAnswer:
        """An error found by the transcoder itself."""
        body = _status_body(refusal.code, refusal.message, [self._detail(detail) for detail in refusal.details])
        return ErrorAnswer(refusal.status, refusal.headers, body)

    def of_call(self, error: grpc.aio.AioRpcError) -> ErrorAnswer:
        """The status that a call ended with."""
        headers = response_headers(error.initial_metadata() or ())
        status = _status(error)
        try:
            details = [self._expand(detail) for detail in status.details]
        except ValueError:
            return ErrorAnswer(500, (), _UNMARSHALLABLE)
        if status.code == code_pb2.UNAUTHENTICATED:
            headers.append(("www-authenticate", _header_text(status.message)))
        body = _status_body(status.code, status.message, details)
        return ErrorAnswer(http_status(status.code), tuple(headers), body)

    def of_failure(self) -> ErrorAnswer:
        """A failure without a status: a fixed text, whatever happened."""
        return ErrorAnswer(500, (), _status_body(code_pb2.UNKNOWN, INTERNAL_TEXT, []))

    def _detail(self, message: Message) -> Any:
        packed = any_pb2.Any()
        packed.Pack(message)
        return self._expand(packed)


def _status_body(code: int, message: str, details: list[Any]) -> bytes:
    return json_bytes({"code": code, "message": message, "details": details})


def _status(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    code: int = error.code().value[0]
    rich = _rich_status(error.trailing_metadata() or ())
    if rich is not None and rich.code == code:
        return rich
    text = error.details() or ""
    if code in (code_pb2.UNAVAILABLE, code_pb2.UNKNOWN, code_pb2.INTERNAL) and _CONNECTION_TEXT.search(text):
        text = _UNREACHABLE_TEXT
    return status_pb2.Status(code=code, message=text)


def _rich_status(metadata: Iterable[tuple[str, Any]]) -> status_pb2.Status | None:
    for key, value in metadata:
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return None
    return None


def _header_text(message: str) -> str:
    return "".join(character if " " <= character <= "~" else " " for character in message)
