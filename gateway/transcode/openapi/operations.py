"""One operation per binding: what it is called, takes and answers."""

from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.rpc import status_pb2

from gateway.transcode.codec.types import Types
from gateway.transcode.openapi.comments import Comments
from gateway.transcode.openapi.parameters import path_parameters, query_parameters
from gateway.transcode.openapi.paths import OpenApiPath
from gateway.transcode.openapi.schemas import Schema, Schemas, behaves, described, well_known
from gateway.transcode.routing.fields import resolve
from gateway.transcode.routing.rules import Binding

_HTTP_BODY = "google.api.HttpBody"
_NO_CONTENT = 204
_ANYTHING: dict[str, Any] = {"*/*": {"schema": {}}}
_STREAM_MEDIA_TYPES = ("application/json", "application/x-ndjson", "text/event-stream")
_STREAM_TEXT = (
    "A line of JSON per message, each with a `result`; if the call fails later on, the last has an `error`. With "
    "`Accept: text/event-stream` the same lines come as server-sent events, and the event `end` behind them."
)


class Operations:
    """Describes bindings as Operation Objects."""

    def __init__(self, *, types: Types, schemas: Schemas, comments: Comments) -> None:
        self._schemas = schemas
        self._comments = comments
        # By name, so that a contract that imports google.rpc.Status gets its own comments.
        self._status = types.find("google.rpc.Status") or status_pb2.Status.DESCRIPTOR

    def describe(self, binding: Binding, path: OpenApiPath, status: int) -> dict[str, Any]:
        """The operation, whose success has this HTTP `status`; without security, which is the host's to say."""
        comment = self._comments.of(binding.method.full_name)
        operation: dict[str, Any] = {
            "operationId": binding.operation_id,
            "tags": [binding.method.containing_service.name],
        }
        if comment.summary:
            operation["summary"] = comment.summary
        described(operation, comment.description)
        if binding.method.GetOptions().deprecated:
            operation["deprecated"] = True
        parameters = [
            *path_parameters(binding, path.parameters, self._schemas, self._comments),
            *query_parameters(binding, self._schemas, self._comments),
        ]
        if parameters:
            operation["parameters"] = parameters
        if binding.body:
            operation["requestBody"] = self._request_body(binding)
        operation["responses"] = self._responses(binding, status)
        return operation

    def _request_body(self, binding: Binding) -> dict[str, Any]:
        request = binding.method.input_type
        if binding.body != "*":
            field = resolve(request, binding.body.split("."))[-1]
            if field.message_type is not None and field.message_type.full_name == _HTTP_BODY:
                return {"content": _ANYTHING, "required": True}
            required = behaves(field, field_behavior_pb2.REQUIRED)
            return {"content": _json(self._field_body(binding, field)), "required": required}
        if request.full_name == _HTTP_BODY:
            return {"content": _ANYTHING, "required": True}
        in_path = frozenset(path.path[0] for path in binding.template.variables if len(path.path) == 1)
        schema = self._schemas.object(request, without=in_path) if in_path else self._schemas.message(request)
        required = any(
            behaves(field, field_behavior_pb2.REQUIRED) for field in request.fields if field.name not in in_path
        )
        return {"content": _json(schema), "required": required}

    def _field_body(self, binding: Binding, field: FieldDescriptor) -> Schema:
        """The body's schema; a PATCH carries what changes, so that no field of it is required."""
        kind = field.message_type
        if binding.http_method != "PATCH" or kind is None or field.is_repeated or well_known(kind) is not None:
            return self._schemas.value(field)
        schema = self._schemas.object(kind)
        return self._schemas.value(field) if schema.pop("required", None) is None else schema

    def _responses(self, binding: Binding, status: int) -> dict[str, Any]:
        error: Schema = self._schemas.message(self._status)
        answer = binding.method.output_type
        if status == _NO_CONTENT:
            success: dict[str, Any] = {"description": "Done; there is nothing to say."}
        elif answer.full_name == _HTTP_BODY and not binding.response_body:
            success = {"description": "The bytes as they are.", "content": _ANYTHING}
        elif binding.method.server_streaming:
            success = self._stream(self._answer(binding), error)
        else:
            success = {"description": self._success_text(binding), "content": _json(self._answer(binding))}
        if binding.method.server_streaming:
            error = {"type": "object", "properties": {"error": error}, "required": ["error"]}
        return {str(status): success, "default": {"description": "An error.", "content": _json(error)}}

    def _answer(self, binding: Binding) -> Schema:
        if not binding.response_body:
            return self._schemas.message(binding.method.output_type)
        field = resolve(binding.method.output_type, binding.response_body.split("."))[-1]
        return self._schemas.value(field)

    def _success_text(self, binding: Binding) -> str:
        answer = binding.method.output_type
        return "Success" if well_known(answer) is not None else self._comments.of(answer.full_name).summary or "Success"

    def _stream(self, result: Schema, error: Schema) -> dict[str, Any]:
        line: Schema = {
            "type": "object",
            "description": "One line of the stream, or the data of one event.",
            "properties": {"result": result, "error": error},
            "minProperties": 1,
            "maxProperties": 1,
        }
        return {
            "description": _STREAM_TEXT,
            "content": {media_type: {"schema": line} for media_type in _STREAM_MEDIA_TYPES},
        }


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
