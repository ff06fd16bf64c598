"""Path and query parameters of an operation."""

from collections.abc import Iterator, Sequence
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcode.codec.types import map_entry
from gateway.transcode.openapi.comments import Comments
from gateway.transcode.openapi.paths import PathParameter
from gateway.transcode.openapi.schemas import Schema, Schemas, behaves, described, well_known
from gateway.transcode.options import Options
from gateway.transcode.routing.fields import resolve
from gateway.transcode.routing.rules import Binding

# These have no form as one query value.
_NOT_IN_QUERY = frozenset({"google.protobuf.Any", "google.protobuf.ListValue", "google.protobuf.Empty"})
_SNAKE_PATH = r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*(\.[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*)*"
# In the query a duration is spelt with units, a mask in proto names, a structure as JSON text.
_QUERY_SCHEMAS: dict[str, Schema] = {
    "google.protobuf.FieldMask": {
        "type": "string",
        "pattern": f"^({_SNAKE_PATH}(,{_SNAKE_PATH})*)?$",
        "examples": ["display_name,owner.name"],
    },
    "google.protobuf.Duration": {"type": "string", "examples": ["1h30m", "250ms"]},
    "google.protobuf.Struct": {"type": "string", "contentMediaType": "application/json"},
    "google.protobuf.Value": {"type": "string", "contentMediaType": "application/json"},
}


def path_parameters(
    binding: Binding, parameters: Sequence[PathParameter], schemas: Schemas, comments: Comments
) -> Iterator[dict[str, Any]]:
    """One parameter per wildcard; a part of a longer variable is a plain string."""
    whole = {variable.path for variable in binding.template.variables if variable.stop - variable.start == 1}
    for parameter in parameters:
        schema: Schema = {"type": "string"}
        text = ""
        if parameter.variable:
            field = resolve(binding.method.input_type, parameter.variable)[-1]
            text = comments.of(field.full_name).text
            if parameter.variable in whole:
                schema = schemas.value(field)
        if schema.get("type") == "string":
            schema = {**schema, "minLength": 1}
        elif schema.get("type") == "array":
            schema = {**schema, "minItems": 1}
        if parameter.deep:
            text = f"{text} May hold several segments.".strip()
        item: dict[str, Any] = {"name": parameter.name, "in": "path", "required": True}
        described(item, text)
        yield {**item, "schema": schema}


def header_parameters(options: Options) -> dict[str, Any]:
    """What every operation takes besides its own parameters, by name."""
    timeout: Schema = {"type": "string", "pattern": "^[0-9]+[HMSmun]$", "examples": ["5S", "250m"]}
    text = "How long the call may take: a number with a unit of H, M, S, m (milliseconds), u or n. Later it is a 504."
    parameters = {"Grpc-Timeout": {"name": "Grpc-Timeout", "in": "header", "description": text, "schema": timeout}}
    for name in options.forwarded_headers:
        text = "Passed on to the service."
        parameters[name] = {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
    return parameters


def query_parameters(binding: Binding, schemas: Schemas, comments: Comments) -> Iterator[dict[str, Any]]:
    """Every field that neither path nor body fills, by its dotted JSON name."""
    if binding.body == "*" or binding.method.client_streaming:
        return
    taken = {variable.path for variable in binding.template.variables}
    if binding.body:
        taken.add(tuple(binding.body.split(".")))
    for path in _leaves(binding.method.input_type, (), taken):
        yield _query_parameter(path, schemas, comments)


def _leaves(
    descriptor: Descriptor, above: tuple[FieldDescriptor, ...], taken: set[tuple[str, ...]]
) -> Iterator[tuple[FieldDescriptor, ...]]:
    """The field paths that a query can name; a type that holds itself is followed once."""
    for field in descriptor.fields:
        path = (*above, field)
        output_only = behaves(field, field_behavior_pb2.OUTPUT_ONLY)
        if output_only or tuple(step.name for step in path) in taken or not _in_query(field):
            continue
        kind = field.message_type
        if kind is None or map_entry(field) is not None or well_known(kind) is not None:
            yield path
        elif not field.is_repeated and all(step.message_type is not kind for step in above):
            yield from _leaves(kind, path, taken)


def _in_query(field: FieldDescriptor) -> bool:
    entry = map_entry(field)
    kind = field.message_type if entry is None else entry.fields_by_name["value"].message_type
    if kind is None:
        return True
    known = well_known(kind) is not None and kind.full_name not in _NOT_IN_QUERY
    return known or (entry is None and well_known(kind) is None)


def _query_parameter(path: tuple[FieldDescriptor, ...], schemas: Schemas, comments: Comments) -> dict[str, Any]:
    field = path[-1]
    item: dict[str, Any] = {"name": ".".join(schemas.name(step) for step in path), "in": "query"}
    described(item, comments.of(field.full_name).text)
    if len(path) == 1 and behaves(field, field_behavior_pb2.REQUIRED):
        item["required"] = True
    if field.GetOptions().deprecated:
        item["deprecated"] = True
    if map_entry(field) is not None:
        item |= {"style": "deepObject", "explode": True}
    return {**item, "schema": _query_schema(field, schemas)}


def _query_schema(field: FieldDescriptor, schemas: Schemas) -> Schema:
    special = _QUERY_SCHEMAS.get(field.message_type.full_name) if field.message_type is not None else None
    if special is None:
        return schemas.value(field)
    return {"type": "array", "items": special} if field.is_repeated else special
