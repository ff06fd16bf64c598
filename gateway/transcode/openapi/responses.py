"""What an operation answers: a message or one of its fields, bytes, a stream of either, or an error."""

from typing import Any

from google.rpc import error_details_pb2, status_pb2

from gateway.transcode.codec.types import HTTP_BODY, Types
from gateway.transcode.openapi.comments import Comments
from gateway.transcode.openapi.media import Media, raw
from gateway.transcode.openapi.schemas import Schema, Schemas, well_known
from gateway.transcode.routing.fields import resolve
from gateway.transcode.routing.rules import Binding

_NO_CONTENT = 204
_STREAM_TEXT = (
    "A line of JSON per message, each with a `result`; if the call fails later on, the last has an `error`. With "
    "`Accept: text/event-stream` the same lines come as server-sent events, and the event `end` behind them."
)
_BAD_REQUEST = "The request is wrong. Among `details`, a google.rpc.BadRequest names the fields that are."
_UNAUTHENTICATED = "There is no credential, or it is not or no longer good."
_DENIED = "The caller is known and may not do this."
_NOT_FOUND = "What the path names is not there, or not for this caller."
_OTHER = "Another error; `code` is that of gRPC, from which the HTTP status follows."
# What errors are detailed by most often; any other type may stand beside them.
_DETAILS = (error_details_pb2.BadRequest, error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo)


class Responses:
    """Describes what bindings answer as Responses Objects."""

    def __init__(self, *, types: Types, schemas: Schemas, comments: Comments, media: Media) -> None:
        self._schemas = schemas
        self._comments = comments
        self._media = media
        self._types = types

    def describe(self, binding: Binding, status: int, *, is_open: bool, takes_input: bool) -> dict[str, Any]:
        """The answers; `status` is that of a success. `is_open`: no credential is asked for."""
        responses = {str(status): self._success(binding, status)}
        if takes_input:
            responses["400"] = self._error(binding, _BAD_REQUEST)
        if not is_open:
            responses["401"] = {
                **self._error(binding, _UNAUTHENTICATED),
                "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
            }
            responses["403"] = self._error(binding, _DENIED)
        if binding.template.variables:
            responses["404"] = self._error(binding, _NOT_FOUND)
        responses["default"] = self._error(binding, _OTHER)
        if binding.http_method == "HEAD":
            for response in responses.values():
                response.pop("content", None)
        return responses

    def _success(self, binding: Binding, status: int) -> dict[str, Any]:
        answer = binding.method.output_type
        if status == _NO_CONTENT:
            return {"description": "Done; there is nothing to say."}
        if answer.full_name == HTTP_BODY and not binding.response_body:
            return {"description": "The bytes as they are.", "content": raw()}
        if binding.method.server_streaming:
            line = _line({"result": self._answer(binding), "error": self._status()})
            return {"description": _STREAM_TEXT, "content": self._media.answers(line)}
        return {"description": self._text(binding), "content": self._media.answer(self._answer(binding))}

    def _answer(self, binding: Binding) -> Schema:
        if not binding.response_body:
            return self._schemas.message(binding.method.output_type)
        return self._schemas.answer(resolve(binding.method.output_type, binding.response_body.split("."))[-1])

    def _text(self, binding: Binding) -> str:
        answer = binding.method.output_type
        return "Success" if well_known(answer) is not None else self._comments.of(answer.full_name).summary or "Success"

    def _error(self, binding: Binding, text: str) -> dict[str, Any]:
        """An error. What the service of a stream refuses is its only line, what does not get that far is not."""
        schema = self._status()
        if binding.method.server_streaming:
            schema = {"anyOf": [schema, {**_line({"error": schema}), "required": ["error"]}]}
        return {"description": text, "content": self._media.answer(schema)}

    def _status(self) -> Schema:
        # By name, so that a contract that imports google.rpc.Status gets its own comments.
        status = self._types.find("google.rpc.Status") or status_pb2.Status.DESCRIPTOR
        reference = self._schemas.message(status)
        details = self._schemas.components[status.full_name]["properties"]["details"]
        if "anyOf" not in details["items"]:
            details["items"] = {
                "anyOf": [*(self._detail(kind.DESCRIPTOR.full_name) for kind in _DETAILS), details["items"]]
            }
        return reference

    def _detail(self, full_name: str) -> Schema:
        """The message as it stands in an Any."""
        kind = self._types.find(full_name)
        assert kind is not None, full_name  # `Types` registers it
        schema = self._schemas.object(kind)
        schema["properties"] = {"@type": {"const": f"type.googleapis.com/{full_name}"}, **schema["properties"]}
        schema["required"] = ["@type", *schema.get("required", ())]
        self._schemas.components[f"{full_name}.Detail"] = schema
        return {"$ref": f"#/components/schemas/{full_name}.Detail"}


def _line(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "description": "One line of the stream, or the data of one event.",
        "properties": properties,
        "minProperties": 1,
        "maxProperties": 1,
    }
