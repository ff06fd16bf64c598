"""Encoders of google.protobuf's well-known types, whose JSON is not that of an ordinary message."""

from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError

from gateway.transcode.codec.mask import camel_path
from gateway.transcode.codec.moments import format_duration, format_moment
from gateway.transcode.codec.numbers import finite_double
from gateway.transcode.codec.scalars import writer
from gateway.transcode.codec.types import VALUE_TYPES, WRAPPERS, Types
from gateway.transcode.marshal.formats import Json

Convert = Callable[[Any], Any]


def encoder(
    descriptor: Descriptor, *, types: Types, message: Callable[[Descriptor], Convert], style: Json
) -> Convert | None:
    """The encoder of a well-known type, or None for an ordinary message; `message` gives that of any type."""
    name = descriptor.full_name
    if name in WRAPPERS:
        convert = writer(descriptor.fields_by_name["value"], style=style)
        return (lambda wrapper: wrapper.value) if convert is None else (lambda wrapper: convert(wrapper.value))
    if name == "google.protobuf.Any":
        return _any(types, message)
    return _SIMPLE.get(name)


def _any(types: Types, message: Callable[[Descriptor], Convert]) -> Convert:
    def convert(packed: Any) -> Any:
        """The fields of the type that is packed beside "@type". ValueError for an unknown type or broken bytes."""
        if not packed.type_url:
            return {}
        name = packed.type_url.rpartition("/")[2]
        descriptor = types.find(name)
        if descriptor is None:
            raise ValueError(f"the type {name!r} of an Any is not among the descriptors")
        try:
            inner = types.message_class(descriptor).FromString(packed.value)
        except DecodeError:
            raise ValueError(f"the bytes of an Any are no {name}") from None
        value = message(descriptor)(inner)
        if name in VALUE_TYPES:
            return {"@type": packed.type_url, "value": value}
        return {"@type": packed.type_url, **value}

    return convert


def _timestamp(message: Any) -> str:
    return format_moment(message.seconds, message.nanos)


def _duration(message: Any) -> str:
    return format_duration(message.seconds, message.nanos)


def _field_mask(message: Any) -> str:
    return ",".join(map(camel_path, message.paths))


def _struct(message: Any) -> dict[str, Any]:
    return {key: _value(value) for key, value in message.fields.items()}


def _list(message: Any) -> list[Any]:
    return [_value(value) for value in message.values]


def _value(message: Any) -> Any:
    kind = message.WhichOneof("kind")
    if kind is None:
        raise ValueError("a google.protobuf.Value holds nothing")
    return _KINDS[kind](getattr(message, kind))


_KINDS: dict[str, Callable[[Any], Any]] = {
    "null_value": lambda _: None,
    "number_value": finite_double,
    "string_value": str,
    "bool_value": bool,
    "struct_value": _struct,
    "list_value": _list,
}
_SIMPLE: dict[str, Callable[[Any], Any]] = {
    "google.protobuf.Timestamp": _timestamp,
    "google.protobuf.Duration": _duration,
    "google.protobuf.FieldMask": _field_mask,
    "google.protobuf.Struct": _struct,
    "google.protobuf.Value": _value,
    "google.protobuf.ListValue": _list,
}
