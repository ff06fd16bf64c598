"""The request message of one binding, put together in grpc-gateway's order: body, then path variables, then query."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message

from gateway.transcode.codec.decode import DecoderSet
from gateway.transcode.codec.fault import JsonError
from gateway.transcode.codec.mask import mask_paths
from gateway.transcode.codec.types import HTTP_BODY, Types
from gateway.transcode.errors import bad_request
from gateway.transcode.marshal.codecs import Codec
from gateway.transcode.options import Options
from gateway.transcode.profile import Profile
from gateway.transcode.request.populate import Populator
from gateway.transcode.request.query import QueryReader, parse_query
from gateway.transcode.request.variables import PathVariable
from gateway.transcode.routing.fields import resolve
from gateway.transcode.routing.rules import Binding

_FIELD_MASK = "google.protobuf.FieldMask"


class RequestReader:
    """Compiled for one binding and one way to read bodies; `read` is called for every request."""

    def __init__(self, binding: Binding, *, types: Types, codec: Codec, profile: Profile, options: Options) -> None:
        descriptor = binding.method.input_type
        texts = DecoderSet(types)  # JSON inside of text is read alike, whatever the body is written in
        populator = Populator(texts)
        self._class = types.message_class(descriptor)
        self._body = _body_reader(binding, codec, profile) if binding.body else None
        self._variables = tuple(
            PathVariable(
                resolve(descriptor, variable.path),
                codec=texts,
                populator=populator,
                profile=profile,
                separator=options.path_list_separator,
            )
            for variable in binding.template.variables
        )
        self._query = _query_reader(binding, populator, profile)

    def read(
        self, *, body: bytes, content_type: str, values: Sequence[str], query: bytes, form: bytes = b""
    ) -> Message:
        """The message that the parts of a request describe; a `form` goes before the query. Raises RefusedError naming
        what is wrong."""
        message = self._class()
        if self._body is not None:
            self._body.read(message, body, content_type)
        for variable, value in zip(self._variables, values, strict=True):
            variable.set(message, value)
        if (query or form) and self._query is not None:
            self._query.fill(parse_query(b"&".join((form, query))), message)
        return message


def _query_reader(binding: Binding, populator: Populator, profile: Profile) -> QueryReader | None:
    """None where the query can say nothing."""
    if binding.body == "*":
        return None
    excluded = [variable.path for variable in binding.template.variables]
    if binding.body:
        excluded.append(tuple(binding.body.split(".")))
    strict = profile.unknown_query_is_an_error
    if not strict and {field.name for field in binding.method.input_type.fields} <= {
        ".".join(path) for path in excluded
    }:
        return None
    return QueryReader(binding.method.input_type, excluded=excluded, populator=populator, strict=strict)


class _WholeBody:
    """`body: "*"`: the body is the request message."""

    def __init__(self, binding: Binding, codec: Codec) -> None:
        self._fill = codec.whole(binding.method.input_type)

    def read(self, message: Any, body: bytes, _: str) -> None:
        """Fill the message; an empty body is an empty message."""
        try:
            self._fill(message, body)
        except JsonError as fault:
            raise bad_request(fault.field, fault.reason) from None


class _FieldBody:
    """`body: "field"`: the body is one field; a PATCH derives the field mask from its JSON."""

    def __init__(self, binding: Binding, codec: Codec) -> None:
        *parents, self._field = resolve(binding.method.input_type, binding.body.split("."))
        self._name = binding.body
        self._parents = [field.name for field in parents]
        self._fill = codec.field(self._field, depth=len(parents))
        self._mask = _mask_field(binding)

    def read(self, message: Any, body: bytes, _: str) -> None:
        """Set the field; an empty body leaves it unset."""
        holder = message
        for name in self._parents:
            holder = getattr(holder, name)
        try:
            self._derive_mask(message, self._fill(holder, body))
        except JsonError as fault:
            raise bad_request(fault.field or self._name, fault.reason) from None

    def _derive_mask(self, message: Any, value: Any) -> None:
        kind = self._field.message_type
        if value is None or self._mask is None or kind is None or self._field.is_repeated:
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


def _body_reader(binding: Binding, codec: Codec, profile: Profile) -> _WholeBody | _FieldBody | _RawBody:
    if profile.raw_uploads and takes_raw_body(binding):
        return _RawBody(binding)
    return _WholeBody(binding, codec) if binding.body == "*" else _FieldBody(binding, codec)


def takes_raw_body(binding: Binding) -> bool:
    """Whether the body of the binding is a google.api.HttpBody."""
    if binding.body == "*":
        return bool(binding.method.input_type.full_name == HTTP_BODY)
    last = resolve(binding.method.input_type, binding.body.split("."))[-1]
    return last.message_type is not None and last.message_type.full_name == HTTP_BODY and not last.is_repeated


def _mask_field(binding: Binding) -> str | None:
    """The one top-level FieldMask of a PATCH request, else None."""
    if binding.http_method != "PATCH":
        return None
    masks = [
        field.name
        for field in binding.method.input_type.fields
        if field.message_type is not None and field.message_type.full_name == _FIELD_MASK
    ]
    return masks[0] if len(masks) == 1 else None
