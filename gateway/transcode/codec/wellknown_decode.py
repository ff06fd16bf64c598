"""Decoders of google.protobuf's well-known types, whose JSON is not that of an ordinary message."""

from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor

from gateway.transcode.codec.fault import JsonError, check_depth
from gateway.transcode.codec.mask import snake_path
from gateway.transcode.codec.moments import parse_duration, parse_moment
from gateway.transcode.codec.scalars import double, reader, string
from gateway.transcode.codec.text import members
from gateway.transcode.codec.types import EMPTY, VALUE_TYPES, WRAPPERS, Types

Fill = Callable[[Any, Any, int], None]


def decoder(
    descriptor: Descriptor, *, types: Types, message: Callable[[Descriptor], Fill], discard_unknown: bool
) -> Fill | None:
    """The decoder of a well-known type, or None for an ordinary message; `message` gives that of any type."""
    name = descriptor.full_name
    if name in WRAPPERS:
        return _wrapper(descriptor)
    if name == "google.protobuf.Any":
        return _any(types, message, discard_unknown=discard_unknown)
    return _SIMPLE.get(name)


def _any(types: Types, message: Callable[[Descriptor], Fill], *, discard_unknown: bool) -> Fill:
    def fill(packed: Any, value: Any, depth: int) -> None:
        """Pack the message that "@type" names. Without it all fields are unknown: where such are ignored it is an empty
        Any, as `{}` is."""
        check_depth(depth)
        if "@type" not in members(value):
            if value and not discard_unknown:
                raise JsonError('needs an "@type", such as type.googleapis.com/google.protobuf.Duration')
            return
        url = value["@type"]
        if not isinstance(url, str) or not url:
            raise JsonError("must name a type, such as type.googleapis.com/google.protobuf.Duration").within("@type")
        name = url.rpartition("/")[2]
        descriptor = types.find(name)
        if descriptor is None:
            raise JsonError(f"the type {name!r} is unknown").within("@type")
        inner = types.message_class(descriptor)()
        if name in VALUE_TYPES:
            if "value" in value:
                message(descriptor)(inner, value["value"], depth + 1)
            elif name != EMPTY:
                raise JsonError(f'a {name} in an Any stands under "value"')
        else:
            rest = {key: item for key, item in value.items() if key != "@type"}
            message(descriptor)(inner, rest, depth + 1)
        packed.type_url = string(url)
        packed.value = inner.SerializeToString(deterministic=True)

    return fill


def _wrapper(descriptor: Descriptor) -> Fill:
    read = reader(descriptor.fields_by_name["value"])

    def fill(message: Any, value: Any, _: int) -> None:
        message.value = read(value)

    return fill


def _from_text(parse: Callable[[str], tuple[int, int]]) -> Fill:
    def fill(message: Any, value: Any, _: int) -> None:
        try:
            message.seconds, message.nanos = parse(string(value))
        except JsonError:
            raise
        except ValueError as error:
            raise JsonError(str(error)) from None

    return fill


def _field_mask(message: Any, value: Any, _: int) -> None:
    text = string(value).strip()
    try:
        message.paths.extend(map(snake_path, text.split(",")) if text else ())
    except ValueError as error:
        raise JsonError(str(error)) from None


def _struct(message: Any, value: Any, depth: int) -> None:
    check_depth(depth)
    for key, item in members(value).items():
        try:
            _value(message.fields[string(key)], item, depth + 2)  # the map's entry is a message too
        except JsonError as fault:
            raise fault.within(key) from None


def _list(message: Any, value: Any, depth: int) -> None:
    if type(value) is not list:
        raise JsonError("must be a list")
    check_depth(depth)
    for index, item in enumerate(value):
        try:
            _value(message.values.add(), item, depth + 1)
        except JsonError as fault:
            raise fault.within(f"[{index}]") from None


def _value(message: Any, value: Any, depth: int) -> None:
    check_depth(depth)
    if value is None:
        message.null_value = 0
    elif value is True or value is False:
        message.bool_value = value
    elif isinstance(value, str):
        message.string_value = string(value)
    elif isinstance(value, dict):
        message.struct_value.SetInParent()
        _struct(message.struct_value, value, depth + 1)
    elif isinstance(value, list):
        message.list_value.SetInParent()
        _list(message.list_value, value, depth + 1)
    else:
        message.number_value = double(value)


_SIMPLE: dict[str, Fill] = {
    "google.protobuf.Timestamp": _from_text(parse_moment),
    "google.protobuf.Duration": _from_text(parse_duration),
    "google.protobuf.FieldMask": _field_mask,
    "google.protobuf.Struct": _struct,
    "google.protobuf.Value": _value,
    "google.protobuf.ListValue": _list,
}
