"""The OpenAPI document of a contract, found valid by an independent validator."""

from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.transcode import DEFAULT, About, Options, Profile, Transcoder

ABOUT = About(title="Library", version="1")


async def describe(
    descriptors: FileDescriptorSet, service: str, *, profile: Profile = DEFAULT, options: Options | None = None
) -> dict[str, Any]:
    """The document of one service, found valid."""
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        made = Transcoder(descriptors, {service: channel}, profile=profile, options=options).openapi(ABOUT)
    assert [str(error) for error in OpenAPIV31SpecValidator(made).iter_errors()] == []
    return made


def success(document: dict[str, Any], path: str, method: str = "get") -> dict[str, Any]:
    """The content of an operation's success."""
    content: dict[str, Any] = document["paths"][path][method]["responses"]["200"]["content"]
    return content


def is_valid(document: dict[str, Any], schema: dict[str, Any], value: Any) -> bool:
    """Whether a JSON value is what a schema of the document says."""
    return bool(OAS31Validator({**schema, "components": document["components"]}).is_valid(value))
