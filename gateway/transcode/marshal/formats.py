"""What a marshaler may be told: protobuf's JSON with its options, or protobuf's own binary form."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Json:
    """The protobuf JSON mapping, by default as grpc-gateway writes and reads it."""

    content_type: str = "application/json"
    """What answers call it."""
    emit_unpopulated: bool = True
    """Whether unset fields are written: zero, `[]`, `{}`, and `null` for messages; oneof members and proto3 `optional`
    never are."""
    discard_unknown: bool = True
    """Whether an unknown field of a body is ignored; else it answers 400."""
    use_proto_names: bool = False
    """Whether fields are written under their proto name; both names are always read."""
    use_enum_numbers: bool = False
    """Whether enum values are written as numbers."""
    indent: str = ""
    """What one level is indented by; empty: everything stands on one line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Binary:
    """Protobuf's binary form. Streams of messages and single scalar fields have none."""

    content_type: str = "application/octet-stream"
    """What answers call it."""


Marshaler = Json | Binary
