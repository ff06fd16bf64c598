"""The request message of one binding, put together in grpc-gateway's order: body, then path variables, then query."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.rpc import code_pb2

from gateway.transcode.codec.decode import DecoderSet
from gateway.transcode.codec.fault import JsonError
from gateway.transcode.codec.mask import mask_paths
from gateway.transcode.codec.text import is_blank, parse_json
from gateway.transcode.errors import RefusedError, bad_request
from gateway.transcode.profile import Profile
from gateway.transcode.request.query import QueryReader
from gateway.transcode.request.values import DOTTED, PLAIN, put
from gateway.transcode.routing.fields import resolve
from gateway.transcode.routing.rules import Binding

_HTTP_BODY = "google.api.HttpBody"
_FIELD_MASK = "google.protobuf.FieldMask"


class RequestReader:
    """Compiled for one binding; `read` is called for every request."""

    def __init__(self, binding: Binding, *, codec: DecoderSet, profile: Profile) -> None:
        descriptor = binding.method.input_type
        self._class = codec.types.message_class(descriptor)
        self._body = _body_reader(binding, codec) if binding.body else None
        self._variables = tuple(
            _Variable(resolve(descriptor, variable.path), codec) for variable in binding.template.variables
        )
        self._query = None if binding.body == "*" else _query_reader(binding, codec, profile)

    def read(self, *, body: bytes, content_type: str, values: Sequence[str], query: bytes) -> Message:
        """The message that the parts of a request describe; raises RefusedError naming what is wrong."""
        message = self._class()
        if self._body is not None:
            self._body.read(message, body, content_type)
        for variable, value in zip(self._variables, values, strict=True):
            variable.set(message, value)
        if query and self._query is not None:
            self._query.read(query, message)
        return message


def _query_reader(binding: Binding, codec: DecoderSet, profile: Profile) -> QueryReader:
    excluded = [variable.path for variable in binding.template.variables]
    if binding.body:
        excluded.append(tuple(binding.body.split(".")))
    return QueryReader(binding.method.input_type, excluded=excluded, codec=codec, profile=profile)


class _Variable:
    """A path variable and the field it sets."""

    def __init__(self, fields: Sequence[FieldDescriptor], codec: DecoderSet) -> None:
        self.name = ".".join(field.name for field in fields)
        self._parents = [field.name for field in fields[:-1]]
        self._field = fields[-1]
        action = put(fields[-1], codec, forms=PLAIN if len(fields) == 1 else DOTTED)
        assert action is not None, "rules.py admits only variables that have a form as text"
        self._put = action

    def set(self, message: Any, text: str) -> None:
        """Overwrite the field; raises RefusedError naming the variable."""
        holder = message
        for name in self._parents:
            holder = getattr(holder, name)
        holder.ClearField(self._field.name)
        try:
            for part in text.split(",") if self._field.is_repeated else (text,):
                self._put(holder, part)
        except ValueError as error:
            raise RefusedError(
                code_pb2.INVALID_ARGUMENT,
                f"type mismatch, parameter: {self.name}, error: {error}",
                details=bad_request(self.name, str(error)).details,
            ) from None


class _WholeBody:
    """`body: "*"`: the body is the request message."""

    def __init__(self, binding: Binding, codec: DecoderSet) -> None:
        self._fill = codec.message(binding.method.input_type)

    def read(self, message: Any, body: bytes, _: str) -> None:
        """Fill the message; an empty body is an empty message."""
        if is_blank(body):
            return
        try:
            self._fill(message, parse_json(body), 0)
        except JsonError as fault:
            raise bad_request(fault.field, fault.reason) from None


class _FieldBody:
    """`body: "field"`: the body is one field's JSON; a PATCH derives the field mask from it."""

    def __init__(self, binding: Binding, codec: DecoderSet) -> None:
        fields = resolve(binding.method.input_type, binding.body.split("."))
        self._name = binding.body
        self._parents = [field.name for field in fields[:-1]]
        self._field = fields[-1]
        self._store = codec.store(fields[-1])
        self._mask = _mask_field(binding)

    def read(self, message: Any, body: bytes, _: str) -> None:
        """Set the field; an empty body leaves it unset."""
        if is_blank(body):
            return
        holder = message
        for name in self._parents:
            holder = getattr(holder, name)
        try:
            value = parse_json(body)
            if value is None:
                raise JsonError("must not be null")
            self._store(holder, value, len(self._parents))
            self._derive_mask(message, value)
        except JsonError as fault:
            raise bad_request(fault.field or self._name, fault.reason) from None

    def _derive_mask(self, message: Any, value: Any) -> None:
        kind = self._field.message_type
        if self._mask is None or kind is None or self._field.is_repeated:
            return
        mask = getattr(message, self._mask)
        if not mask.paths:
            mask.paths.extend(mask_paths(value, kind))


class _RawBody:
    """The body's bytes as they are, where the contract asks for a google.api.HttpBody."""

    def __init__(self, binding: Binding) -> None:
        self._path = [] if binding.body == "*" else binding.body.split(".")

    def read(self, message: Any, body: bytes, content_type: str) -> None:
        """Keep bytes and content type."""
        holder = message
        for name in self._path:
            holder = getattr(holder, name)
        holder.content_type = content_type
        holder.data = body


def _body_reader(binding: Binding, codec: DecoderSet) -> _WholeBody | _FieldBody | _RawBody:
    request = binding.method.input_type
    if binding.body == "*":
        return _RawBody(binding) if request.full_name == _HTTP_BODY else _WholeBody(binding, codec)
    last = resolve(request, binding.body.split("."))[-1]
    if last.message_type is not None and last.message_type.full_name == _HTTP_BODY and not last.is_repeated:
        return _RawBody(binding)
    return _FieldBody(binding, codec)


def _mask_field(binding: Binding) -> str | None:
    """The one top-level FieldMask of a PATCH request, else None."""
    if binding.http_method != "PATCH":
        return None
    masks = [
        field.name
        for field in binding.method.input_type.fields
        if field.message_type is not None and field.message_type.full_name == _FIELD_MASK and not field.is_repeated
    ]
    return masks[0] if len(masks) == 1 else None
