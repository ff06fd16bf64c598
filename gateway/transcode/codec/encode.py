"""Messages to JSON by encoders compiled once per descriptor.

By default the shape is grpc-gateway's: lowerCamelCase; zero scalars, `[]` and `{}` emitted; `null` for an unset
singular message or wrapper; members of a oneof and proto3 `optional` left out when unset; 64-bit integers as strings;
enums by name; bytes in base64; NaN and the infinities as strings.
"""

import json
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.transcode.codec import wellknown_encode
from gateway.transcode.codec.scalars import bare_writer, writer
from gateway.transcode.codec.types import Types, map_entry
from gateway.transcode.marshal.formats import Json

JsonValue = Any
Convert = Callable[[Any], JsonValue]

_TEXT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))


def json_bytes(value: JsonValue) -> bytes:
    """A JSON value as compact UTF-8."""
    return _TEXT.encode(value).encode()


class Encoder:
    """Encodes messages of one descriptor; instances of any class with that full name may be given.

    `codec` shares compiled encoders and the types that an Any may hold; without it the default pool is used.
    """

    def __init__(self, descriptor: Descriptor, *, codec: "EncoderSet | None" = None) -> None:
        self._convert = (codec or EncoderSet(Types())).message(descriptor)

    def to_object(self, message: Message) -> JsonValue:
        """The message as dicts, lists and scalars. Empty lists and dicts in it are shared: read only.

        Raises ValueError for what JSON cannot say: a timestamp out of range, an Any of an unknown type.
        """
        return self._convert(message)

    def to_json(self, message: Message) -> bytes:
        """The message as compact JSON in UTF-8; raises as `to_object`."""
        return json_bytes(self._convert(message))


class EncoderSet:
    """Compiled encoders by full name of the message, all in one style."""

    def __init__(self, types: Types, *, style: Json | None = None) -> None:
        self.types = types
        self._style = style or Json()
        self._compiled: dict[str, Convert] = {}

    def message(self, descriptor: Descriptor) -> Convert:
        """The converter of a message type, compiled on first need."""
        name = descriptor.full_name
        known = self._compiled.get(name)
        if known is not None:
            return known
        special = wellknown_encode.encoder(descriptor, types=self.types, message=self.message, style=self._style)
        if special is not None:
            self._compiled[name] = special
            return special
        # Recursive types meet the name before the converter is ready, so they are given this way to it.
        self._compiled[name] = lambda message: self._compiled[name](message)
        self._compiled[name] = self._compile(descriptor)
        return self._compiled[name]

    def field(self, field: FieldDescriptor, *, bare: bool = False) -> Convert | None:
        """The converter of a field's value as `ListFields` gives it; None where the value is JSON already. `bare`: the
        value is a whole answer, see `scalars.bare_writer`."""
        entry = map_entry(field)
        if entry is not None:
            return self._map(entry, bare=bare)
        one = self._single(field, bare=bare)
        if not field.is_repeated:
            return one
        if one is None:
            return list
        return lambda values: [one(value) for value in values]

    def empty(self, field: FieldDescriptor) -> JsonValue:
        """What an unset field shows, or `OMITTED`."""
        if not self._style.emit_unpopulated:
            return OMITTED
        if map_entry(field) is not None:
            return {}
        if field.is_repeated:
            return []
        if field.containing_oneof is not None:
            return OMITTED
        if field.message_type is not None or field.has_presence:
            return None
        convert = self._single(field)
        return field.default_value if convert is None else convert(field.default_value)

    def _compile(self, descriptor: Descriptor) -> Convert:
        empties = {self._name(field): self.empty(field) for field in descriptor.fields}
        defaults = {name: empty for name, empty in empties.items() if empty is not OMITTED}
        table = _Table({field: (self._name(field), self.field(field)) for field in descriptor.fields})
        fresh = defaults.copy

        def encode(message: Message) -> JsonValue:
            out = fresh()
            for field, value in message.ListFields():
                name, convert = table[field]
                out[name] = value if convert is None else convert(value)
            return out

        return encode

    def _name(self, field: FieldDescriptor) -> str:
        return str(field.name if self._style.use_proto_names else field.json_name)

    def _single(self, field: FieldDescriptor, *, bare: bool = False) -> Convert | None:
        if field.message_type is not None:
            return self.message(field.message_type)
        return bare_writer(field, style=self._style) if bare else writer(field, style=self._style)

    def _map(self, entry: Descriptor, *, bare: bool) -> Convert:
        key = _map_key if entry.fields_by_name["key"].type == FieldDescriptor.TYPE_BOOL else str
        value = self._single(entry.fields_by_name["value"], bare=bare)
        if value is None:
            return lambda items: {key(name): item for name, item in items.items()}
        return lambda items: {key(name): value(item) for name, item in items.items()}


class _Table(dict[FieldDescriptor, tuple[str, Convert | None]]):
    """Name and converter by field. A message of another pool brings field objects of its own, found by their number."""

    def __missing__(self, field: FieldDescriptor) -> tuple[str, Convert | None]:
        self[field] = next(row for known, row in self.items() if known.number == field.number)
        return self[field]


class _Omitted:
    """The mark of a field that is left out when unset."""


OMITTED = _Omitted()


def _map_key(value: bool) -> str:
    return "true" if value else "false"
