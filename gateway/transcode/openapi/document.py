"""The OpenAPI 3.1 document of a contract, in the contract's own words."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.transcode.codec.types import Types
from gateway.transcode.openapi.comments import Comments
from gateway.transcode.openapi.media import Media
from gateway.transcode.openapi.operations import Operations
from gateway.transcode.openapi.parameters import header_parameters
from gateway.transcode.openapi.paths import PathNames
from gateway.transcode.openapi.schemas import Schemas
from gateway.transcode.options import Options
from gateway.transcode.profile import DEFAULT, Profile
from gateway.transcode.routing.rules import Binding

_METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"})


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What the host of the API adds to what the contract says."""

    title: str
    version: str
    description: str = ""
    servers: Sequence[str] = ()
    """Base addresses; none: the one that the document came from."""
    security_schemes: Mapping[str, Any] = field(default_factory=dict)
    """Security Scheme Objects by name."""
    security: Callable[[Binding], Sequence[Mapping[str, Sequence[str]]] | None] | None = None
    """The Security Requirement Objects of an operation; an empty list: open to all; None: the document says nothing."""
    success_status: Callable[[Binding], int] | None = None
    """The HTTP status of an operation's success, where its service chooses one by `x-http-code`; None: always 200."""
    schemas: Mapping[str, Any] = field(default_factory=dict)
    """More component schemas."""
    paths: Mapping[str, Any] = field(default_factory=dict)
    """More paths, such as a WebSocket's or a health check's; operations join a path of the contract."""


def describe(
    descriptors: FileDescriptorSet,
    bindings: Iterable[Binding],
    *,
    types: Types,
    about: About,
    profile: Profile = DEFAULT,
    options: Options | None = None,
) -> dict[str, Any]:
    """The document as JSON values. `profile` and `options` are those that the bindings are served with."""
    options = options or Options()
    comments, media = Comments(descriptors), Media(profile=profile, options=options)
    schemas = Schemas(comments, style=media.style)
    operations = Operations(types=types, schemas=schemas, comments=comments, media=media, profile=profile)
    names = PathNames(dots=profile.dotted_path_names)
    paths: dict[str, dict[str, Any]] = {}
    tags: dict[str, str] = {}
    for binding in bindings:
        if binding.http_method not in _METHODS:
            continue  # OpenAPI has no place for CONNECT
        path = names.spell(binding.template)
        operation = operations.describe(
            binding,
            path,
            status=about.success_status(binding) if about.success_status is not None else 200,
            security=about.security(binding) if about.security is not None else None,
        )
        # Where `*` and `**` share a spelling the more specific route came first in the contract or is hidden here.
        paths.setdefault(path.text, {}).setdefault(binding.http_method.lower(), operation)
        service = binding.method.containing_service
        tags.setdefault(service.name, comments.of(service.full_name).text)
    for text, item in about.paths.items():
        paths.setdefault(text, {}).update(item)
    return _document(about, paths=paths, tags=tags, schemas=schemas, headers=header_parameters(options))


def _document(
    about: About, *, paths: dict[str, Any], tags: dict[str, str], schemas: Schemas, headers: dict[str, Any]
) -> dict[str, Any]:
    info = {"title": about.title, "version": about.version}
    if about.description:
        info["description"] = about.description
    document: dict[str, Any] = {"openapi": "3.1.0", "info": info}
    if about.servers:
        document["servers"] = [{"url": url} for url in about.servers]
    document["tags"] = [{"name": name, "description": text} if text else {"name": name} for name, text in tags.items()]
    document["paths"] = paths
    document["components"] = {
        "schemas": dict(sorted({**schemas.components, **about.schemas}.items())),
        "parameters": headers,
    }
    if about.security_schemes:
        document["components"]["securitySchemes"] = dict(about.security_schemes)
    return document
