"""Text of a path variable or query parameter to field values; every converter's ValueError says what it wants."""

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway.transcode.codec.decode import DecoderSet
from gateway.transcode.codec.moments import parse_duration, parse_go_duration, parse_moment
from gateway.transcode.codec.numbers import FLOAT_OVERFLOW
from gateway.transcode.codec.scalars import INTEGER_RANGES
from gateway.transcode.codec.text import parse_json
from gateway.transcode.codec.types import WRAPPERS

Put = Callable[[Any, str], None]
"""Put the value that a text spells into the message that holds the field; a repeated field grows by it."""
Parse = Callable[[str], Any]

_INTEGER = re.compile(r"[+-]?\d{1,40}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_HEX_FLOAT = re.compile(r"[+-]?0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?\d+", re.ASCII)
_SPECIAL = re.compile(r"[+-]?(inf|infinity)|nan", re.ASCII | re.IGNORECASE)
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


@dataclass(frozen=True, slots=True)
class Forms:
    """How moments and durations are spelt; each gives seconds and nanoseconds."""

    moment: Callable[[str], tuple[int, int]]
    duration: Callable[[str], tuple[int, int]]


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        raise ValueError("the quotes do not close") from None


PLAIN = Forms(lambda text: parse_moment(_unquoted(text)), lambda text: parse_duration(_unquoted(text)))
"""In a path variable without dots: the JSON forms, bare or quoted."""
DOTTED = Forms(parse_moment, parse_go_duration)
"""In dotted path variables and in the query: RFC 3339, and Go's durations."""


def scalar(field: FieldDescriptor) -> Parse:
    """The converter of text for a scalar or enum field."""
    if field.enum_type is not None:
        return _enum(field.enum_type)
    if field.type in INTEGER_RANGES:
        return _integer(*INTEGER_RANGES[field.type])
    return _OTHER[field.type]


def put(field: FieldDescriptor, codec: DecoderSet, *, forms: Forms) -> Put | None:
    """How text becomes one value of `field`; None for messages that have no form as text."""
    if field.message_type is not None:
        fill = _message(field.message_type, codec, forms)
        return None if fill is None else _putting_message(field, fill)
    parse, name = scalar(field), field.name
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
        parse = scalar(kind.fields_by_name["value"])
        return lambda message, text: setattr(message, "value", parse(text))
    if name == "google.protobuf.Timestamp":
        return _clock(forms.moment)
    if name == "google.protobuf.Duration":
        return _clock(forms.duration)
    if name == "google.protobuf.FieldMask":
        return lambda message, text: message.paths.extend(text.split(",") if text else ())
    if name in ("google.protobuf.Struct", "google.protobuf.Value"):
        fill = codec.message(kind)
        return lambda message, text: fill(message, parse_json(text.encode()), 0)
    return None


def _clock(parse: Callable[[str], tuple[int, int]]) -> Put:
    def fill(message: Any, text: str) -> None:
        message.seconds, message.nanos = parse(text)

    return fill


def _integer(low: int, high: int) -> Parse:
    def parse(text: str) -> int:
        if _INTEGER.fullmatch(text) is None:
            raise ValueError("must be a whole number in base 10")
        number = int(text)
        if not low <= number <= high:
            raise ValueError(f"must be between {low} and {high}")
        return number

    return parse


def _double(text: str) -> float:
    if _SPECIAL.fullmatch(text):
        return float(text)
    if _DECIMAL.fullmatch(text):
        number = float(text)
    elif _HEX_FLOAT.fullmatch(text):
        number = _from_hex(text)
    else:
        raise ValueError("must be a number")
    if number - number != 0.0:
        raise ValueError("is too large for a floating-point number")
    return number


def _from_hex(text: str) -> float:
    try:
        return float.fromhex(text)
    except OverflowError:
        return float("inf")


def _float(text: str) -> float:
    number = _double(text)
    if number - number == 0.0 and abs(number) >= FLOAT_OVERFLOW:
        raise ValueError("is too large for a 32-bit floating-point number")
    return number


def _boolean(text: str) -> bool:
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError("must be true or false")


def _octets(text: str) -> bytes:
    try:
        return b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (Base64Error, ValueError):  # ValueError: not ASCII
        raise ValueError("must be base64 with its padding") from None


def _enum(enum: EnumDescriptor) -> Parse:
    names = {value.name: value.number for value in enum.values}
    numbers = frozenset(names.values())

    def parse(text: str) -> int:
        number = names.get(text)
        if number is None and _INTEGER.fullmatch(text) and int(text) in numbers:
            number = int(text)
        if number is None:
            raise ValueError(f"must be one of {', '.join(names)}")
        return number

    return parse


_OTHER: dict[int, Parse] = {
    FieldDescriptor.TYPE_DOUBLE: _double,
    FieldDescriptor.TYPE_FLOAT: _float,
    FieldDescriptor.TYPE_BOOL: _boolean,
    FieldDescriptor.TYPE_STRING: str,
    FieldDescriptor.TYPE_BYTES: _octets,
}
