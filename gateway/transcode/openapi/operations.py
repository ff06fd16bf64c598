"""One operation per binding: what it is called, takes and answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.transcode.codec.types import Types
from gateway.transcode.openapi.bodies import Bodies
from gateway.transcode.openapi.comments import Comments
from gateway.transcode.openapi.media import Media
from gateway.transcode.openapi.parameters import path_parameters, query_parameters
from gateway.transcode.openapi.paths import OpenApiPath
from gateway.transcode.openapi.responses import Responses
from gateway.transcode.openapi.schemas import Schemas, described
from gateway.transcode.profile import Profile
from gateway.transcode.routing.rules import Binding

Security = Sequence[Mapping[str, Sequence[str]]]


class Operations:
    """Describes bindings as Operation Objects."""

    def __init__(self, *, types: Types, schemas: Schemas, comments: Comments, media: Media, profile: Profile) -> None:
        self._schemas = schemas
        self._comments = comments
        self._bodies = Bodies(schemas=schemas, media=media, profile=profile)
        self._responses = Responses(types=types, schemas=schemas, comments=comments, media=media)

    def describe(
        self, binding: Binding, path: OpenApiPath, *, status: int, security: Security | None
    ) -> dict[str, Any]:
        """The operation, whose success has this HTTP `status`; see `About` for `security`."""
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
        if security is not None:
            operation["security"] = [dict(requirement) for requirement in security]
        parameters = [
            *path_parameters(binding, path.parameters, self._schemas, self._comments),
            *query_parameters(binding, self._schemas, self._comments),
        ]
        if parameters:
            operation["parameters"] = parameters
        body = self._bodies.describe(binding)
        if body is not None:
            operation["requestBody"] = body
        operation["responses"] = self._responses.describe(
            binding, status, is_open=not security, takes_input=bool(parameters) or body is not None
        )
        return operation
