"""What the host of a transcoder may set."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Metadata = tuple[tuple[str, str | bytes], ...]
"""gRPC metadata: lower-case keys; those ending in `-bin` carry bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """Limits and hooks of one transcoder."""

    default_timeout_s: float = 15.0
    """Deadline of a unary call whose request names none in `Grpc-Timeout`."""
    stream_timeout_s: float = 3600.0
    """Deadline of a server stream whose request names none."""
    max_timeout_s: float = 3600.0
    """The longest deadline a request may ask for; longer ones are shortened to it."""
    max_body_bytes: int = 4 * 1024 * 1024
    """Longer request bodies answer 413. The default is what a gRPC server accepts as one message."""
    body_timeout_s: float = 30.0
    """A request body not complete after this time answers 408."""
    sse_keepalive_s: float = 15.0
    """Silence after which a server-sent event stream gets a comment line, so that proxies keep it open."""
    forwarded_headers: tuple[str, ...] = ("traceparent", "tracestate", "x-request-id")
    """Request headers passed on under their own name; lower case."""
    extra_metadata: Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]] | None = None
    """Given the ASGI scope, metadata to add to the call; replaces what the headers gave under the same key."""
