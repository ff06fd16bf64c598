"""Marshalers compiled for one contract: messages to the bytes of an answer, and the bytes of a body to messages."""

import json
from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from gateway.transcode.codec.decode import TAKES_NULL, DecoderSet
from gateway.transcode.codec.encode import EncoderSet, json_bytes
from gateway.transcode.codec.fault import JsonError
from gateway.transcode.codec.text import is_blank, parse_json
from gateway.transcode.codec.types import Types
from gateway.transcode.marshal.formats import Binary, Json, Marshaler
from gateway.transcode.routing.fields import resolve

Write = Callable[[Any], bytes]
"""The bytes of a message; ValueError for what the form cannot say."""
Read = Callable[[Any, bytes], Any]
"""Fill a message from a body and return the JSON value that the body holds, or None where it holds none. Raises
JsonError; a blank body changes nothing."""


class Codec(Protocol):
    """A compiled marshaler."""

    content_type: str

    def answer(self, output: Descriptor, response_body: str) -> Write:
        """How an answer is written: all of the message, or the field that `response_body` names."""

    def line(self, output: Descriptor, response_body: str) -> Write:
        """How one message of a stream is written."""

    def error_line(self, status: bytes) -> bytes:
        """How an error ends a stream, given its status as an answer."""

    def whole(self, request: Descriptor) -> Read:
        """How a body that is the whole message is read."""

    def field(self, field: FieldDescriptor, *, depth: int) -> Read:
        """How a body that is one field, `depth` messages deep, is read into the message that holds it."""


class JsonCodec:
    """The protobuf JSON mapping."""

    def __init__(self, types: Types, style: Json) -> None:
        self.content_type = style.content_type
        self.encoders = EncoderSet(types, style=style)
        self._decoders = DecoderSet(types, style=style)
        self._text = _indenting(style.indent) if style.indent else json_bytes

    def answer(self, output: Descriptor, response_body: str) -> Write:
        """See `Codec`."""
        value, text = self._value(output, response_body), self._text
        return lambda message: text(value(message))

    def line(self, output: Descriptor, response_body: str) -> Write:
        """See `Codec`: the value under "result", on a line of its own."""
        value, text = self._value(output, response_body), self._text
        return lambda message: text({"result": value(message)}) + b"\n"

    def error_line(self, status: bytes) -> bytes:
        """See `Codec`: the status under "error", on a line of its own."""
        return b'{"error":' + status + b"}\n"

    def whole(self, request: Descriptor) -> Read:
        """See `Codec`."""
        fill = self._decoders.message(request)

        def read(message: Any, body: bytes) -> Any:
            if is_blank(body):
                return None
            value = parse_json(body)
            fill(message, value, 0)
            return value

        return read

    def field(self, field: FieldDescriptor, *, depth: int) -> Read:
        """See `Codec`."""
        store, null = self._decoders.store(field), _null_of(field)

        def read(holder: Any, body: bytes) -> Any:
            if is_blank(body):
                return None
            value = parse_json(body)
            if value is None and null is _Null.REFUSED:
                raise JsonError("must not be null")
            if value is not None or null is _Null.VALUE:
                store(holder, value, depth)
            return value

        return read

    def _value(self, output: Descriptor, response_body: str) -> Callable[[Any], Any]:
        if not response_body:
            return self.encoders.message(output)
        *parents, last = resolve(output, response_body.split("."))
        convert = self._field_value(last)

        def value(message: Any) -> Any:
            for parent in parents:
                message = getattr(message, parent.name)
            return convert(message)

        return value

    def _field_value(self, field: FieldDescriptor) -> Callable[[Any], Any]:
        name, convert = field.name, self.encoders.field(field, bare=True)
        if field.has_presence:
            return lambda message: _converted(convert, getattr(message, name)) if message.HasField(name) else None
        return lambda message: _converted(convert, getattr(message, name))


class _Null(Enum):
    """What a body of `null` says of the field that it is."""

    REFUSED = "no message or enum value is null"
    UNSET = "a scalar, a list or a map is left as it is"
    VALUE = "a google.protobuf.Value may be null"


def _null_of(field: FieldDescriptor) -> _Null:
    kind = field.message_type or field.enum_type
    if field.is_repeated or kind is None:
        return _Null.UNSET
    return _Null.VALUE if kind.full_name in TAKES_NULL else _Null.REFUSED


def _converted(convert: Callable[[Any], Any] | None, value: Any) -> Any:
    return value if convert is None else convert(value)


def _indenting(indent: str) -> Write:
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, indent=indent)
    return lambda value: encoder.encode(value).encode()


class BinaryCodec:
    """Protobuf's binary form."""

    def __init__(self, form: Binary) -> None:
        self.content_type = form.content_type

    def answer(self, output: Descriptor, response_body: str) -> Write:
        """See `Codec`."""
        if not response_body:
            return _serialized
        fields = resolve(output, response_body.split("."))
        if fields[-1].message_type is None or fields[-1].is_repeated:
            return _no_form

        def write(message: Any) -> bytes:
            for field in fields:
                message = getattr(message, field.name)
            return _serialized(message)

        return write

    def line(self, output: Descriptor, response_body: str) -> Write:
        """See `Codec`: where a message ends cannot be seen in this form."""
        return _no_form

    def error_line(self, status: bytes) -> bytes:
        """See `Codec`."""
        return status

    def whole(self, request: Descriptor) -> Read:
        """See `Codec`."""
        return _parse

    def field(self, field: FieldDescriptor, *, depth: int) -> Read:
        """See `Codec`."""
        if field.message_type is None or field.is_repeated:
            return _no_field
        return lambda holder, body: _parse(getattr(holder, field.name), body)


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


def _no_form(_: Any) -> bytes:
    raise ValueError("this answer has no binary form")


def _no_field(_holder: Any, _body: bytes) -> None:
    raise JsonError("this body has no binary form, write it in JSON")


def _parse(message: Message, body: bytes) -> None:
    message.SetInParent()
    try:
        message.MergeFromString(body)
    except DecodeError:
        raise JsonError("the body is no such message in protobuf's binary form") from None


def compile_marshaler(types: Types, marshaler: Marshaler) -> Codec:
    """The marshaler for the messages of `types`."""
    return JsonCodec(types, marshaler) if isinstance(marshaler, Json) else BinaryCodec(marshaler)
