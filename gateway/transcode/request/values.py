"""Text of a path variable or query parameter to field values; every converter's ValueError says what it wants."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway.transcode.codec.decode import DecoderSet
from gateway.transcode.codec.moments import parse_duration, parse_go_duration, parse_go_moment, parse_moment
from gateway.transcode.codec.scalars import INTEGER_RANGES
from gateway.transcode.codec.text import is_blank, parse_json
from gateway.transcode.codec.types import WRAPPERS
from gateway.transcode.request.gosyntax import parse_bool, parse_bytes, parse_double, parse_float, parse_integer

Put = Callable[[Any, str], None]
"""Put the value that a text spells into the message that holds the field; a repeated field grows by it."""
Parse = Callable[[str], Any]

_INT32 = INTEGER_RANGES[FieldDescriptor.TYPE_INT32]


@dataclass(frozen=True, slots=True)
class Forms:
    """How values are spelt. Moments and durations give seconds and nanoseconds."""

    moment: Callable[[str], tuple[int, int]]
    duration: Callable[[str], tuple[int, int]]
    any_base: bool
    """Whether integers may have a base prefix, a leading zero for octal, and underscores."""


def _json_moment(text: str) -> tuple[int, int]:
    return parse_moment(text.strip('"'))


def _json_duration(text: str) -> tuple[int, int]:
    return parse_duration(text.strip('"'))


PLAIN = Forms(_json_moment, _json_duration, any_base=False)
"""In a path variable without dots: the JSON forms, bare or quoted."""
PLAIN_OF_ANY_BASE = Forms(_json_moment, _json_duration, any_base=True)
"""The same, with integers as Go source code spells them."""
DOTTED = Forms(parse_go_moment, parse_go_duration, any_base=False)
"""In dotted path variables and in the query: RFC 3339, and Go's durations."""


def scalar(field: FieldDescriptor, *, forms: Forms) -> Parse:
    """The converter of text for a scalar or enum field."""
    if field.enum_type is not None:
        return _enum(field.enum_type, any_base=forms.any_base)
    if field.type in INTEGER_RANGES:
        low, high = INTEGER_RANGES[field.type]
        return lambda text: parse_integer(text, low, high, any_base=forms.any_base)
    return _OTHER[field.type]


def put(field: FieldDescriptor, codec: DecoderSet, *, forms: Forms) -> Put | None:
    """How text becomes one value of `field`; None for messages that have no form as text."""
    if field.message_type is not None:
        fill = _message(field.message_type, codec, forms)
        return None if fill is None else _putting_message(field, fill)
    parse, name = scalar(field, forms=forms), field.name
    if field.is_repeated:
        return lambda message, text: getattr(message, name).append(parse(text))
    return lambda message, text: setattr(message, name, parse(text))


def _putting_message(field: FieldDescriptor, fill: Put) -> Put:
    name = field.name

    def put_one(message: Any, text: str) -> None:
        fresh = type(message)()
        child = getattr(fresh, name)
        child.SetInParent()
        fill(child, text)
        getattr(message, name).CopyFrom(child)

    def put_next(message: Any, text: str) -> None:
        fill(getattr(message, name).add(), text)

    return put_next if field.is_repeated else put_one


def _message(kind: Descriptor, codec: DecoderSet, forms: Forms) -> Put | None:
    name = kind.full_name
    if name in WRAPPERS:
        parse = scalar(kind.fields_by_name["value"], forms=forms)
        return lambda message, text: setattr(message, "value", parse(text))
    if name == "google.protobuf.Timestamp":
        return _clock(forms.moment)
    if name == "google.protobuf.Duration":
        return _clock(forms.duration)
    if name == "google.protobuf.FieldMask":
        return lambda message, text: message.paths.extend(text.split(","))
    if name in ("google.protobuf.Struct", "google.protobuf.Value"):
        return _json(kind, codec)
    return None


def _clock(parse: Callable[[str], tuple[int, int]]) -> Put:
    def fill(message: Any, text: str) -> None:
        message.seconds, message.nanos = parse(text)

    return fill


def _json(kind: Descriptor, codec: DecoderSet) -> Put:
    read = codec.message(kind)

    def fill(message: Any, text: str) -> None:
        raw = text.encode()
        if is_blank(raw):
            raise ValueError("must be JSON")
        read(message, parse_json(raw, whole=True), 0)

    return fill


def _enum(enum: EnumDescriptor, *, any_base: bool) -> Parse:
    names = {value.name: value.number for value in enum.values}
    numbers = frozenset(names.values())

    def parse(text: str) -> int:
        number = names.get(text)
        if number is None:
            try:
                number = parse_integer(text, *_INT32, any_base=any_base)
            except ValueError:
                number = None
        if number not in numbers:
            raise ValueError(f"must be one of {', '.join(names)}")
        return number

    return parse


_OTHER: dict[int, Parse] = {
    FieldDescriptor.TYPE_DOUBLE: parse_double,
    FieldDescriptor.TYPE_FLOAT: parse_float,
    FieldDescriptor.TYPE_BOOL: parse_bool,
    FieldDescriptor.TYPE_STRING: str,
    FieldDescriptor.TYPE_BYTES: parse_bytes,
}
