"""JSON to messages by decoders compiled once per descriptor.

Strict as Go's protojson with DiscardUnknown: unknown fields and unknown enum names are ignored; a wrong JSON type, a
field given twice (also once by each of its names) or two members of a oneof are faults. Both the JSON and the proto
name of a field are read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.transcode.codec import wellknown_decode
from gateway.transcode.codec.fault import JsonError, check_depth
from gateway.transcode.codec.scalars import DROPPED, reader
from gateway.transcode.codec.text import Doubled, members
from gateway.transcode.codec.types import Types, map_entry
from gateway.transcode.marshal.formats import Json

Fill = Callable[[Any, Any, int], None]
"""Fill a message from a JSON value at a depth."""
Store = Callable[[Any, Any, int], None]
"""Store a JSON value of one field in the message that holds it."""

TAKES_NULL = frozenset({"google.protobuf.Value", "google.protobuf.NullValue"})


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a field is read: where its value goes, and what may not stand beside it."""

    number: int
    oneof: str | None
    takes_null: bool
    store: Store


class Decoder:
    """Decodes JSON values into messages of one descriptor's own class."""

    def __init__(self, descriptor: Descriptor, *, codec: "DecoderSet | None" = None) -> None:
        codec = codec or DecoderSet(Types())
        self._class = codec.types.message_class(descriptor)
        self._fill = codec.message(descriptor)

    def from_object(self, value: Any) -> Message:
        """The message that a parsed JSON value describes; raises JsonError naming the field."""
        message = self._class()
        self._fill(message, value, 0)
        return message


class DecoderSet:
    """Compiled decoders by full name of the message; of `style` only counts what becomes of unknown fields."""

    def __init__(self, types: Types, *, style: Json | None = None) -> None:
        self.types = types
        self._discard_unknown = (style or Json()).discard_unknown
        self._compiled: dict[str, Fill] = {}

    def message(self, descriptor: Descriptor) -> Fill:
        """The decoder of a message type, compiled on first need."""
        name = descriptor.full_name
        known = self._compiled.get(name)
        if known is not None:
            return known
        special = wellknown_decode.decoder(
            descriptor, types=self.types, message=self.message, discard_unknown=self._discard_unknown
        )
        if special is not None:
            self._compiled[name] = special
            return special
        # Recursive types meet the name before the decoder is ready, so they are given this way to it.
        self._compiled[name] = lambda message, value, depth: self._compiled[name](message, value, depth)
        self._compiled[name] = self._compile(descriptor)
        return self._compiled[name]

    def store(self, field: FieldDescriptor) -> Store:
        """How a JSON value of `field` is put into the message that holds it."""
        entry = map_entry(field)
        if entry is not None:
            return self._store_map(field.name, entry)
        if field.is_repeated:
            return self._store_list(field)
        if field.message_type is not None:
            return _store_message(field.name, self.message(field.message_type))
        return _store_scalar(field)

    def _compile(self, descriptor: Descriptor) -> Fill:
        plans: dict[str, _Plan] = {}
        for field in descriptor.fields:
            plan = _Plan(field.number, _oneof(field), _takes_null(field), self.store(field))
            plans[field.name] = plan
            plans[field.json_name] = plan
        return _message_filler(plans, unknown=None if self._discard_unknown else descriptor.name)

    def _store_list(self, field: FieldDescriptor) -> Store:
        name, takes_null = field.name, _takes_null(field)
        if field.message_type is not None:
            return _store_messages(name, self.message(field.message_type), takes_null=takes_null)
        read = reader(field)

        def store(message: Any, value: Any, _: int) -> None:
            items = []
            for index, item in enumerate(_expect_list(value)):
                try:
                    items.append(read(item))
                except JsonError as fault:
                    raise fault.within(f"[{index}]") from None
            getattr(message, name).extend(item for item in items if item is not DROPPED)

        return store

    def _store_map(self, name: str, entry: Descriptor) -> Store:
        read_key = map_key_reader(entry.fields_by_name["key"])
        put = self._put_in_map(entry.fields_by_name["value"])

        def store(message: Any, value: Any, depth: int) -> None:
            target = getattr(message, name)
            for key, item in members(value).items():
                try:
                    put(target, read_key(key), item, depth)
                except JsonError as fault:
                    raise fault.within(f"[{key}]") from None

        return store

    def _put_in_map(self, field: FieldDescriptor) -> Callable[[Any, Any, Any, int], None]:
        takes_null = _takes_null(field)
        if field.message_type is not None:
            fill = self.message(field.message_type)

            def put_message(target: Any, key: Any, item: Any, depth: int) -> None:
                if item is None and not takes_null:
                    raise JsonError("must not be null")
                _refuse_twice(target, key)
                fill(target[key], item, depth + 2)  # the map's entry is a message too

            return put_message
        read = reader(field)

        def put_scalar(target: Any, key: Any, item: Any, _: int) -> None:
            _refuse_twice(target, key)
            converted = read(item)
            if converted is not DROPPED:
                target[key] = converted

        return put_scalar


def _message_filler(plans: dict[str, _Plan], *, unknown: str | None) -> Fill:
    """`unknown` is the name to tell with a field that the message does not have; None: such a field is ignored."""

    def fill(message: Any, value: Any, depth: int) -> None:
        if type(value) is not dict or unknown is not None:
            _check_names(value, plans, unknown)
        check_depth(depth)
        seen: set[int | str] = set()
        for key, item in value.items():
            plan = plans.get(key)
            if plan is None:
                continue
            if plan.number in seen:
                raise JsonError("is given twice, by both its names").within(key)
            seen.add(plan.number)
            if item is None and not plan.takes_null:
                continue
            if plan.oneof is not None:
                if plan.oneof in seen:
                    raise JsonError(f"excludes another field given: only one of {plan.oneof!r} may be set").within(key)
                seen.add(plan.oneof)
            try:
                plan.store(message, item, depth)
            except JsonError as fault:
                raise fault.within(key) from None

    return fill


def _check_names(value: Any, plans: dict[str, _Plan], unknown: str | None) -> None:
    """Of names that stand twice only those of fields are a fault, and of unknown names where they are not ignored."""
    if not isinstance(value, dict):
        raise JsonError("must be an object")
    doubled = value.doubled & plans.keys() if isinstance(value, Doubled) else None
    if doubled:
        raise JsonError("is given twice").within(min(doubled))
    others = value.keys() - plans.keys() if unknown is not None else None
    if others:
        raise JsonError(f"is no field of {unknown}").within(min(others))


def _store_scalar(field: FieldDescriptor) -> Store:
    name, read = field.name, reader(field)

    def store(message: Any, value: Any, _: int) -> None:
        converted = read(value)
        if converted is not DROPPED:
            setattr(message, name, converted)

    return store


def _store_message(name: str, fill: Fill) -> Store:
    def store(message: Any, value: Any, depth: int) -> None:
        child = getattr(message, name)
        child.SetInParent()
        fill(child, value, depth + 1)

    return store


def _store_messages(name: str, fill: Fill, *, takes_null: bool) -> Store:
    def store(message: Any, value: Any, depth: int) -> None:
        add = getattr(message, name).add
        for index, item in enumerate(_expect_list(value)):
            try:
                if item is None and not takes_null:
                    raise JsonError("must not be null")
                fill(add(), item, depth + 1)
            except JsonError as fault:
                raise fault.within(f"[{index}]") from None

    return store


def map_key_reader(field: FieldDescriptor) -> Callable[[str], Any]:
    """The converter for the text of a map's key."""
    if field.type == FieldDescriptor.TYPE_BOOL:
        return _bool_key
    return reader(field)


def _bool_key(text: str) -> bool:
    if text not in ("true", "false"):
        raise JsonError("the key must be true or false")
    return text == "true"


def _refuse_twice(target: Any, key: Any) -> None:
    if key in target:
        raise JsonError("the key is given twice")


def _expect_list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise JsonError("must be a list")
    return value


def _oneof(field: FieldDescriptor) -> str | None:
    return field.containing_oneof.name if field.containing_oneof is not None else None


def _takes_null(field: FieldDescriptor) -> bool:
    kind = field.message_type or field.enum_type
    return kind is not None and kind.full_name in TAKES_NULL
