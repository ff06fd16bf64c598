"""HTTP headers to gRPC metadata and back, by grpc-gateway's rules.

In: `Authorization` twice, the permanent headers as `grpcgateway-<name>`, `Grpc-Metadata-X` as `x`, X-Forwarded-For with
the peer appended, X-Forwarded-Host, and what the options pass through. Out: `Grpc-Metadata-<Key>` for header metadata.
"""

import logging
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.transcode.codec.octets import decode_standard
from gateway.transcode.errors import bad_request
from gateway.transcode.options import Metadata, Options, Rename

_log = logging.getLogger(__name__)

HTTP_CODE_KEY = "x-http-code"
"""Metadata by which a service sets the HTTP status, such as 201 or 204, or 405 of an error."""
_PREFIX = "grpc-metadata-"
# IANA's "permanent message header field names" that grpc-gateway forwards; Authorization and Host go their own ways.
_PERMANENT = frozenset(
    {"accept", "accept-charset", "accept-language", "accept-ranges", "cache-control", "content-type", "cookie", "date"}
    | {"expect", "from", "if-match", "if-modified-since", "if-none-match", "if-schedule-tag-match", "origin", "pragma"}
    | {"if-unmodified-since", "max-forwards", "referer", "user-agent", "via", "warning"}
)
# These steer gRPC itself; a client must not reach them through Grpc-Metadata-.
_TRANSPORT = frozenset({"content-type", "content-length", "host", "te", "user-agent", "connection"})
# What the transcoder itself vouches for must not come from a client under the same key.
_VOUCHED = frozenset({"x-forwarded-for", "x-forwarded-host"})
_KEY = re.compile(r"[0-9a-z._-]+")
_SUCCESS = re.compile(r"2[0-9][0-9]")
_FAILURE = re.compile(r"[45][0-9][0-9]")
_VALUE = re.compile(r"[\x20-\x7e]*")


def call_metadata(scope: Mapping[str, Any], options: Options) -> Metadata:
    """The metadata of the call that a request becomes; raises RefusedError for broken base64 in a `-bin` header."""
    metadata: list[tuple[str, str | bytes]] = []
    forwarded_for: list[str] = []
    host = forwarded_host = ""
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "x-forwarded-for":
            forwarded_for.append(value)
            continue
        if name == "x-forwarded-host":
            forwarded_host = value
            continue
        if name == "host":
            host = value
        for key in _keys(name, options):
            _append(metadata, key, value)
    peer = scope.get("client")
    if peer:
        forwarded_for.append(str(peer[0]))
    if forwarded_for:
        _append(metadata, "x-forwarded-for", ", ".join(forwarded_for))
    if forwarded_host or host:
        _append(metadata, "x-forwarded-host", forwarded_host or host)
    return _with_extra(metadata, scope, options)


def _keys(name: str, options: Options) -> tuple[str, ...]:
    """Under which metadata keys a header travels; none when it is dropped."""
    if options.incoming_header is not None:
        key = options.incoming_header(name)
        return ("authorization",) * (name == "authorization") + (() if key is None else (key.lower(),))
    if name == "authorization":
        return "authorization", "grpcgateway-authorization"
    if name in options.forwarded_headers:
        return (name,)
    if name in _PERMANENT:
        return (f"grpcgateway-{name}",)
    key = name.removeprefix(_PREFIX)
    if key == name or key.startswith("grpc-") or key in _TRANSPORT or key in _VOUCHED:
        return ()
    return (key,)


def _append(metadata: list[tuple[str, str | bytes]], key: str, value: str) -> None:
    if _KEY.fullmatch(key) is None or (not key.endswith("-bin") and _VALUE.fullmatch(value) is None):
        _log.info("a header is not valid gRPC metadata and was dropped", extra={"metadata_key": key[:64]})
        return
    metadata.append((key, _binary(key, value) if key.endswith("-bin") else value))


def _binary(key: str, value: str) -> bytes:
    try:
        return decode_standard(value, padded=len(value) % 4 == 0)
    except ValueError:
        raise bad_request(key, "a header ending in -Bin carries base64") from None


def _with_extra(metadata: list[tuple[str, str | bytes]], scope: Mapping[str, Any], options: Options) -> Metadata:
    if options.extra_metadata is None:
        return tuple(metadata)
    extra = tuple(options.extra_metadata(scope))
    replaced = {key for key, _ in extra}
    return (*(item for item in metadata if item[0] not in replaced), *extra)


def response_headers(metadata: Iterable[tuple[str, Any]], options: Options) -> list[tuple[str, str]]:
    """Header metadata of the service as HTTP headers; the status hint is not among them."""
    return _renamed(metadata, options.outgoing_header)


def trailers(metadata: Iterable[tuple[str, Any]], options: Options) -> list[tuple[str, str]]:
    """Trailer metadata of the service as HTTP trailers; neither gRPC's own nor the status hint is among them."""
    return _renamed(((key, value) for key, value in metadata if not key.startswith("grpc-")), options.outgoing_trailer)


def _renamed(metadata: Iterable[tuple[str, Any]], rename: Rename) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    for key, value in metadata:
        name = None if key == HTTP_CODE_KEY else rename(key)
        text = b64encode(value).decode("ascii") if isinstance(value, bytes) else str(value)
        if name is not None and _VALUE.fullmatch(text):
            headers.append((name, text))
    return headers


def success_status(*metadata: Iterable[tuple[str, Any]]) -> int:
    """The HTTP status that the service asks for with `x-http-code` (200 to 299), else 200."""
    return _asked_status(metadata, _SUCCESS) or 200


def error_status(*metadata: Iterable[tuple[str, Any]]) -> int | None:
    """The HTTP status that the service asks for with `x-http-code` (400 to 599) when it fails."""
    return _asked_status(metadata, _FAILURE)


def _asked_status(metadata: Iterable[Iterable[tuple[str, Any]]], allowed: re.Pattern[str]) -> int | None:
    for items in metadata:
        for key, value in items:
            if key == HTTP_CODE_KEY and allowed.fullmatch(str(value)):
                return int(value)
    return None


def header(scope: Mapping[str, Any], name: bytes) -> str:
    """The first header of that lower-case name; empty when absent."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return ""
