"""Request bodies: a message, one of its fields, messages one behind the other, or bytes."""

from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor

from gateway.transcode.codec.types import HTTP_BODY
from gateway.transcode.openapi.media import Media, raw
from gateway.transcode.openapi.schemas import FieldPath, Schema, Schemas, behaves, well_known
from gateway.transcode.profile import Profile
from gateway.transcode.routing.fields import resolve
from gateway.transcode.routing.rules import Binding

_MESSAGES_TEXT = (
    "Messages one behind the other, such as one on each line; each is taken when it is there. The schema is one's own."
)


class Bodies:
    """Describes what bindings read as Request Body Objects."""

    def __init__(self, *, schemas: Schemas, media: Media, profile: Profile) -> None:
        self._schemas = schemas
        self._media = media
        self._raw_uploads = profile.raw_uploads

    def describe(self, binding: Binding) -> dict[str, Any] | None:
        """The body; None where none is read."""
        if binding.method.client_streaming:
            return self._stream(binding)
        if not binding.body:
            return None
        return self._whole(binding) if binding.body == "*" else self._field(binding)

    def _stream(self, binding: Binding) -> dict[str, Any]:
        request = binding.method.input_type
        if self._raw_uploads and request.full_name == HTTP_BODY:
            return {"description": "Bytes, passed on as they come.", "content": raw()}
        return {"description": _MESSAGES_TEXT, "content": self._media.requests(self._schemas.message(request))}

    def _whole(self, binding: Binding) -> dict[str, Any]:
        request = binding.method.input_type
        if self._raw_uploads and request.full_name == HTTP_BODY:
            return {"content": raw(), "required": True}
        elsewhere = [variable.path for variable in binding.template.variables]
        schema = self._schemas.object(request, without=elsewhere) if elsewhere else self._schemas.message(request)
        required = any(
            behaves(field, field_behavior_pb2.REQUIRED) for field in request.fields if (field.name,) not in elsewhere
        )
        return {"content": self._media.request(schema), "required": required}

    def _field(self, binding: Binding) -> dict[str, Any]:
        path = tuple(binding.body.split("."))
        field = resolve(binding.method.input_type, path)[-1]
        kind = field.message_type
        if self._raw_uploads and kind is not None and kind.full_name == HTTP_BODY and not field.is_repeated:
            return {"content": raw(), "required": True}
        schema = self._schemas.value(field)
        if kind is not None and not field.is_repeated and well_known(kind) is None:
            schema = self._message(binding, path, kind, schema)
        return {"content": self._media.request(schema), "required": behaves(field, field_behavior_pb2.REQUIRED)}

    def _message(self, binding: Binding, path: FieldPath, kind: Descriptor, reference: Schema) -> Schema:
        """The body's schema without what the path fills. A PATCH carries what changes: no field of it is required."""
        variables = (variable.path for variable in binding.template.variables)
        elsewhere = [one[len(path) :] for one in variables if len(one) > len(path) and one[: len(path)] == path]
        partial = binding.http_method == "PATCH"
        required = any(behaves(field, field_behavior_pb2.REQUIRED) for field in kind.fields)
        if not elsewhere and not (partial and required):
            return reference
        return self._schemas.object(kind, without=elsewhere, partial=partial)
