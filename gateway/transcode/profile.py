"""What a profile decides: every choice between safe and compatible behaviour, wherever the two differ.

`DEFAULT` is the safe one; `GRPC_GATEWAY_V2` answers as grpc-gateway v2 does with its default options. A host that needs
something between takes one and replaces fields (`dataclasses.replace`); no code asks for a profile's name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

NDJSON = "application/x-ndjson"
EVENT_STREAM = "text/event-stream"


class Decoding(Enum):
    """How percent escapes of a path are decoded: what happens before routing, and what stays escaped in `**`."""

    LEGACY = "legacy"
    """Everything is decoded before routing, so that `%2F` separates segments."""
    ALL_EXCEPT_RESERVED = "all_except_reserved"
    """After routing; several segments keep the escapes of reserved characters, one segment keeps none."""
    ALL_EXCEPT_SLASH = "all_except_slash"
    """After routing; several segments keep the escapes of slashes only."""
    ALL_CHARACTERS = "all"
    """After routing, but `%2F` (in upper case) separates segments; no escape stays."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """Choices between safe and compatible behaviour."""

    name: str
    """How the profile is called in messages and documents."""

    # Which route serves a request
    decoding: Decoding
    """How the path is decoded."""
    decodes_canonical_paths_twice: bool
    """Whether a path with none but canonical escapes is decoded before routing and again after, as Go's URLs cause."""
    decodes_wildcards_alone: bool
    """Whether `*` in a variable of several segments is decoded in full; else the variable keeps reserved escapes."""
    newest_route_wins: bool
    """Whether the last of several routes that fit serves the request; else it is the most specific one."""
    empty_segments_match: bool
    """Whether an empty path component matches `*`, so that a path variable may be empty."""
    wrong_method_status: int
    """HTTP status when the path exists for other methods only; 405 comes with an `Allow` header."""
    method_override: bool
    """Whether a form POST may name another method in `X-HTTP-Method-Override`."""
    form_posts_fall_back_to_get: bool
    """Whether a form POST that no route takes is served by a GET route."""

    # How the request becomes a message
    form_bodies_are_queries: bool
    """Whether a form in the body of a request is read as query, where the route reads no body."""
    go_integers_in_paths: bool
    """Whether an integer in the path may have a base prefix, a leading zero for octal, and underscores."""
    variables_may_pass_lists: bool
    """Whether a path variable may name a field inside of a repeated one (every request then fails) or a repeated field
    inside of a message (its text is one element). Else such a rule is refused at start."""
    unknown_query_is_an_error: bool
    """Whether a query key that is no field answers 400; else it is ignored."""
    raw_uploads: bool
    """Whether a body for a google.api.HttpBody is taken byte for byte; else it is that message's JSON."""

    # How the answer leaves
    raw_streams_are_lines: bool
    """Whether a newline follows each chunk of a streamed google.api.HttpBody, and an error may be the last; else the
    chunks are passed on as they are and an error breaks the connection."""
    stream_types: tuple[str, ...]
    """Media types, besides the marshaler's own, that a stream is sent as when `Accept` names them."""
    content_length: bool
    """Whether answers that are no stream carry Content-Length."""
    tells_failures: bool
    """Whether the text of an exception without a status reaches the client; else it is a fixed one."""

    # What the OpenAPI document says
    dotted_path_names: bool
    """Whether the path parameter of a nested field is called by its dotted path, which many tools take for an
    attribute's; else `_` stands for each dot."""


DEFAULT = Profile(
    name="default",
    decoding=Decoding.ALL_EXCEPT_RESERVED,
    decodes_canonical_paths_twice=False,
    decodes_wildcards_alone=False,
    newest_route_wins=False,
    empty_segments_match=False,
    wrong_method_status=405,
    method_override=False,
    form_posts_fall_back_to_get=False,
    form_bodies_are_queries=False,
    go_integers_in_paths=False,
    variables_may_pass_lists=False,
    unknown_query_is_an_error=True,
    raw_uploads=True,
    raw_streams_are_lines=False,
    stream_types=(EVENT_STREAM, NDJSON),
    content_length=True,
    tells_failures=False,
    dotted_path_names=False,
)

GRPC_GATEWAY_V2 = Profile(
    name="grpc-gateway-v2",
    decoding=Decoding.LEGACY,
    decodes_canonical_paths_twice=True,
    decodes_wildcards_alone=True,
    newest_route_wins=True,
    empty_segments_match=True,
    wrong_method_status=501,
    method_override=True,
    form_posts_fall_back_to_get=True,
    form_bodies_are_queries=True,
    go_integers_in_paths=True,
    variables_may_pass_lists=True,
    unknown_query_is_an_error=False,
    raw_uploads=False,
    raw_streams_are_lines=True,
    stream_types=(EVENT_STREAM,),
    content_length=False,
    tells_failures=True,
    dotted_path_names=True,
)

PROFILES: Mapping[str, Profile] = MappingProxyType({profile.name: profile for profile in (DEFAULT, GRPC_GATEWAY_V2)})
"""The profiles by name, for a host that reads its choice from a setting."""
