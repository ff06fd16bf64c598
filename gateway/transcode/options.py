"""What the host of a transcoder may set."""

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.api import http_pb2
from google.protobuf.message import Message

from gateway.transcode.marshal.formats import Json, Marshaler

Metadata = tuple[tuple[str, str | bytes], ...]
"""gRPC metadata: lower-case keys; those ending in `-bin` carry bytes."""
Rename = Callable[[str], str | None]
"""From a name to the one that it travels under, or None to drop it. Names are lower case on both sides."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """Limits and hooks of one transcoder."""

    # The contract
    rules: Sequence[http_pb2.HttpRule] = ()
    """Rules besides the contract's own, each with the `selector` of its method; they come before the method's own."""
    serve_unbound_methods: bool = False
    """Whether a method without a rule is served as `POST /package.Service/Method` with the message as its body."""
    allow_delete_body: bool = False
    """Whether a DELETE rule may have a body."""

    path_list_separator: str = ","
    """What separates the elements of a repeated field in a path variable."""

    # Time and size
    default_timeout_s: float = 0.0
    """Deadline of a call with one answer whose request names none in `Grpc-Timeout`; 0: none."""
    stream_timeout_s: float = 0.0
    """Deadline of a call with many answers whose request names none; 0: none."""
    max_timeout_s: float = 0.0
    """The longest deadline a request may ask for; longer ones are shortened to it. 0: as long as it asks."""
    max_body_bytes: int = 4 * 1024 * 1024
    """Longer request bodies answer 413; in a stream of messages it bounds each of them. The default is what a gRPC
    server accepts as one message."""
    body_timeout_s: float = 30.0
    """A request body not complete after this time answers 408; streams of messages may take any time."""
    sse_keepalive_s: float = 15.0
    """Silence after which a server-sent event stream gets a comment line, so that proxies keep it open."""

    # Content
    marshalers: Mapping[str, Marshaler] = field(default_factory=lambda: {"*": Json()})
    """How messages are written and read by media type; `*` serves every other and must be there."""
    rewrite: Callable[[Message], Message] | None = None
    """Given each message that is answered (of an error: its google.rpc.Status), the one to send in its place."""

    # Headers and metadata
    forwarded_headers: tuple[str, ...] = ("traceparent", "tracestate", "x-request-id")
    """Request headers passed on under their own name; lower case."""
    incoming_header: Rename | None = None
    """Under which metadata key a request header travels, in place of grpc-gateway's rule."""
    outgoing_header: Rename = "grpc-metadata-{}".format
    """Under which HTTP name header metadata of the service travels."""
    outgoing_trailer: Rename = "grpc-trailer-{}".format
    """Under which HTTP name trailer metadata travels, where client and server can do trailers."""
    extra_metadata: Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]] | None = None
    """Given the ASGI scope, metadata to add to the call; replaces what the headers gave under the same key."""

    # Beside the contract
    health_path: str = "/healthz"
    """Where the health of the services is asked for, if the transcoder was given a channel for it."""
    serve_websockets: bool = True
    """Whether every route is served by WebSocket, too."""
    admit_origin: Callable[[MutableMapping[str, Any]], bool] | None = None
    """Given the ASGI scope of a WebSocket, whether the page that opens it may. None: pages of the same host and port,
    and whoever sends no Origin."""
