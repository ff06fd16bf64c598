"""Sets the field at the end of a path from text, as grpc-gateway does for query keys and dotted path variables."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcode.codec.decode import DecoderSet
from gateway.transcode.codec.types import map_entry
from gateway.transcode.request.values import DOTTED, Put, put, scalar


class Populator:
    """Compiles the converter of each field when it is first named."""

    def __init__(self, codec: DecoderSet) -> None:
        self._codec = codec
        self._puts: dict[str, Put | None] = {}

    def set(self, message: Any, path: Sequence[FieldDescriptor], values: Sequence[str]) -> None:
        """Set the last field of `path`; a map's values are a key and its value. ValueError says what is wrong."""
        *way, field = path
        holder = descend(message, way)
        refuse_second_of_oneof(holder, field)
        entry = map_entry(field)
        if entry is not None:
            self._set_map(getattr(holder, field.name), entry, values)
            return
        if len(values) > 1 and not field.is_repeated:
            raise ValueError("has too many values, the field takes one")
        convert = self._put(field)
        for value in values:
            convert(holder, value)

    def _put(self, field: FieldDescriptor) -> Put:
        if field.full_name not in self._puts:
            self._puts[field.full_name] = put(field, self._codec, forms=DOTTED)
        action = self._puts[field.full_name]
        if action is None:
            kind = field.message_type.name if field.message_type is not None else ""
            raise ValueError(f"is a {kind}, which has no form as text: name a field in it")
        return action

    def _set_map(self, target: Any, entry: Descriptor, values: Sequence[str]) -> None:
        if len(values) < 2:
            raise ValueError("is a map, write the key in brackets: name[key]=value")
        if len(values) > 2:
            raise ValueError("is given twice")
        key_text, value = values
        try:
            key = scalar(entry.fields_by_name["key"], forms=DOTTED)(key_text)
        except ValueError as error:
            raise ValueError(f"the key {error}") from None
        value_field = entry.fields_by_name["value"]
        if value_field.message_type is None:
            target[key] = scalar(value_field, forms=DOTTED)(value)
            return
        holder: Any = self._codec.types.message_class(entry)()
        self._put(value_field)(holder, value)
        target[key].CopyFrom(holder.value)


def descend(message: Any, way: Sequence[FieldDescriptor]) -> Any:
    """The message at the end of a way through messages, all of which become present. ValueError where it passes a list
    or a scalar, or through a oneof of which something else is set."""
    holder = message
    for field in way:
        refuse_second_of_oneof(holder, field)
        if field.message_type is None or field.is_repeated:
            raise ValueError(f"{field.name!r} is not a message, nothing can be named below it")
        holder = getattr(holder, field.name)
        holder.SetInParent()
    return holder


def refuse_second_of_oneof(holder: Any, field: FieldDescriptor, *, replaces: bool = False) -> None:
    """ValueError when another member of the field's oneof is set, or this one, if it is a scalar that is not to be
    replaced."""
    oneof = field.containing_oneof
    if oneof is None or oneof.name == f"_{field.name}":  # what proto3 `optional` makes is no choice
        return
    taken = holder.WhichOneof(oneof.name)
    if taken is not None and (taken != field.name or (field.message_type is None and not replaces)):
        raise ValueError(f"excludes {taken!r}: only one of {oneof.name!r} may be set")
