"""Errors as they leave: google.rpc.Status in JSON with its details expanded, under the HTTP status of its code."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import grpc.aio
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, status_pb2

from gateway.transcode.errors import RefusedError, http_status
from gateway.transcode.marshal.codecs import Codec
from gateway.transcode.options import Options
from gateway.transcode.profile import Profile
from gateway.transcode.wire.headers import error_status, response_headers, trailers

_DETAILS_KEY = "grpc-status-details-bin"
_TYPE = "content-type"
_JSON = "application/json"
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
    """An error ready to be sent: as an answer, or as the line that ends a stream."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    line: bytes
    trailers: tuple[tuple[str, str], ...] = ()


class ErrorWriter:
    """Turns whatever went wrong into an answer, written by one codec."""

    def __init__(self, codec: Codec, *, profile: Profile, options: Options) -> None:
        self._codec = codec
        self._tells_failures = profile.tells_failures
        self._options = options

    def of_refusal(self, refusal: RefusedError) -> ErrorAnswer:
        """An error found by the transcoder itself."""
        status = status_pb2.Status(code=refusal.code, message=refusal.message)
        for detail in refusal.details:
            status.details.add().Pack(detail)
        return self._answer(status, refusal.status, refusal.headers)

    def of_call(self, error: grpc.aio.AioRpcError) -> ErrorAnswer:
        """The status that a call ended with."""
        initial, trailing = error.initial_metadata() or (), error.trailing_metadata() or ()
        headers = response_headers(initial, self._options)
        status = _status(error)
        if status.code == code_pb2.UNAUTHENTICATED:
            headers.append(("www-authenticate", _header_text(status.message)))
        http = error_status(initial, trailing) or http_status(status.code)
        answer = self._answer(status, http, tuple(headers))
        return replace(answer, trailers=tuple(trailers(trailing, self._options)))

    def of_failure(self, error: Exception) -> ErrorAnswer:
        """A failure without a status; what it says is told where the profile says so."""
        text = str(error) if self._tells_failures else INTERNAL_TEXT
        return self._answer(status_pb2.Status(code=code_pb2.UNKNOWN, message=text), 500, ())

    def _answer_of(self, shown: Any) -> bytes:
        return self._codec.answer(shown.DESCRIPTOR, "")(shown)

    def _answer(self, status: status_pb2.Status, http: int, headers: tuple[tuple[str, str], ...]) -> ErrorAnswer:
        rewrite = self._options.rewrite
        try:
            shown: Message = status if rewrite is None else rewrite(status)
            body = self._answer_of(shown)
        except ValueError:
            return ErrorAnswer(500, ((_TYPE, _JSON),), _UNMARSHALLABLE, self._codec.error_line(_UNMARSHALLABLE))
        return ErrorAnswer(http, ((_TYPE, self._codec.content_type), *headers), body, self._codec.error_line(body))


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
