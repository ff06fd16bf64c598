"""The OpenAPI document: the contract's routes, who may call each, and the frames of the live socket."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from flick.v1 import live_pb2, options_pb2
from gateway.transcode import About
from gateway.transcode.openapi.comments import Comments
from gateway.transcode.openapi.schemas import Schemas

BEARER = "bearer"
AGENT_KEY = "agentKey"

_DESCRIPTION = (
    "Servers, their metrics and who may see them. Sign in with `POST /api/v1/auth/login` and send the access token as "
    "`Authorization: Bearer TOKEN`. Errors have the form of google.rpc.Status. Live values come by WebSocket at "
    "`/api/v1/ws`. Besides its own parameters every operation takes the headers under `components`."
)
_SOCKET_TEXT = (
    "A WebSocket. Show the access token as subprotocol (`Sec-WebSocket-Protocol: bearer, TOKEN`) or in a first "
    "frame `authenticate` within 5 s; a later `authenticate` takes over a newer token of the same person. Frames "
    "are text: you send `flick.v1.LiveRequest`, and get `flick.v1.LiveResponse`. A sign of life comes every 15 s. "
    "Frames are 64 KiB at most, subscriptions 20 a socket, sockets 20 a person. Close codes: 1001 the gateway is "
    "stopping (the last frame says when to come back), 1008 a limit was broken, 1009 a frame was too long, 1013 "
    "you read too slowly or a service is away, 4401 the token is not or no longer good, 4403 it is no person's."
)
_SECURITY_SCHEMES = {
    BEARER: {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token of `POST /api/v1/auth/login` or `POST /api/v1/auth/refresh`.",
    },
    AGENT_KEY: {"type": "http", "scheme": "bearer", "description": "The key that an agent got when it was enrolled."},
}
_ROLES = {
    options_pb2.ROLE_VIEWER: "viewer",
    options_pb2.ROLE_MEMBER: "member",
    options_pb2.ROLE_ADMIN: "admin",
    options_pb2.ROLE_OWNER: "owner",
}


def about(descriptors: FileDescriptorSet, *, version: str) -> About:
    """What the document says besides the contract's routes and messages."""
    rules = read_access(descriptors)
    return About(
        title="FLick",
        version=version,
        description=_DESCRIPTION,
        security_schemes=_SECURITY_SCHEMES,
        security=lambda binding: _security(rules[binding.method.full_name]),
        schemas=_frame_schemas(descriptors),
        paths=_paths(),
    )


def read_access(descriptors: FileDescriptorSet) -> Mapping[str, options_pb2.AccessRule]:
    """Who may call each method, by the method's full name."""
    return {
        f"{file.package}.{service.name}.{method.name}": method.options.Extensions[options_pb2.access]
        for file in descriptors.file
        for service in file.service
        for method in service.method
    }


def _security(rule: options_pb2.AccessRule) -> Sequence[Mapping[str, Sequence[str]]]:
    """An empty list for what anybody may call; else a token, with the least role that a person needs, or a key."""
    if options_pb2.CALLER_KIND_ANONYMOUS in rule.callers:
        return []
    role = _ROLES.get(rule.role)
    person = {BEARER: [role] if role else []}  # OpenAPI 3.1 allows role names here for every scheme
    return [person, {AGENT_KEY: []}] if options_pb2.CALLER_KIND_AGENT in rule.callers else [person]


def _frame_schemas(descriptors: FileDescriptorSet) -> Mapping[str, Any]:
    schemas = Schemas(Comments(descriptors))
    for message in (live_pb2.LiveRequest, live_pb2.LiveResponse):
        schemas.message(message.DESCRIPTOR)
    return schemas.components


def _paths() -> Mapping[str, Any]:
    socket = {
        "operationId": "Live",
        "tags": ["Live"],
        "summary": "Live values of servers, pushed as they arrive",
        "description": _SOCKET_TEXT,
        "security": [{BEARER: []}, {}],
        "responses": {
            "101": {
                "description": "The socket is open.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/flick.v1.LiveResponse"}}},
            },
            "403": _error("The page's origin may not open it."),
            "426": _error("The request asks for no WebSocket."),
            "503": _error("The gateway is stopping."),
        },
        "x-websocket": {
            "send": {"$ref": "#/components/schemas/flick.v1.LiveRequest"},
            "receive": {"$ref": "#/components/schemas/flick.v1.LiveResponse"},
        },
    }
    return {"/api/v1/ws": {"get": socket}, "/healthz": {"get": _HEALTH}}


def _error(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/google.rpc.Status"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


_HEALTH_BODY = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["serving", "degraded"]},
        "backends": {
            "type": "object",
            "additionalProperties": {"type": "string", "enum": ["serving", "not serving", "unreachable"]},
        },
        "down": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["status", "backends", "down"],
}
_HEALTH = {
    "operationId": "Health",
    "tags": ["Health"],
    "summary": "Whether everything that the API needs answers",
    "security": [],
    "responses": {
        "200": {"description": "All is well.", "content": {"application/json": {"schema": _HEALTH_BODY}}},
        "503": {
            "description": "What `down` names does not answer.",
            "content": {"application/json": {"schema": _HEALTH_BODY}},
        },
    },
}
