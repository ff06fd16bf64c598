"""JSON schemas (2020-12, as OpenAPI 3.1 takes them) of messages and enums, as the codec reads and writes them."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway.transcode.codec.types import WRAPPERS, map_entry
from gateway.transcode.marshal.formats import Json
from gateway.transcode.openapi.comments import Comments

Schema = dict[str, Any]
FieldPath = tuple[str, ...]

_SIGNED = {"pattern": "^-?[0-9]+$"}
_UNSIGNED = {"pattern": "^[0-9]+$"}
_INT64 = {"type": "string", "format": "int64", **_SIGNED}
_UINT64 = {"type": "string", "format": "uint64", **_UNSIGNED}
_INT32 = {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1}
_UINT32 = {"type": "integer", "format": "int64", "minimum": 0, "maximum": 2**32 - 1}
_SCALARS: dict[int, Schema] = {
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "format": "byte", "contentEncoding": "base64"},
}
_WELL_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time", "examples": ["2026-01-31T12:30:00Z"]},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$", "examples": ["1.5s"]},
    "google.protobuf.FieldMask": {"type": "string", "examples": ["displayName,owner.name"]},
    "google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Empty": {"type": "object"},
    "google.protobuf.Any": {
        "type": "object",
        "properties": {"@type": {"type": "string", "description": "Names the type of the other fields."}},
        "additionalProperties": True,
    },
}
_NULL = {"type": "null"}
# What the keys of a map look like that are no strings; signed integers have a sign, too.
_KEYS: dict[int, Schema] = {
    **dict.fromkeys((field_type for field_type, schema in _SCALARS.items() if schema in (_INT32, _INT64)), _SIGNED),
    **dict.fromkeys((field_type for field_type, schema in _SCALARS.items() if schema in (_UINT32, _UINT64)), _UNSIGNED),
    FieldDescriptor.TYPE_BOOL: {"enum": ["true", "false"]},
}
# A 64-bit integer that is a whole answer by itself is a number.
_BARE: dict[str, Schema] = {
    "int64": {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    "uint64": {"type": "integer", "format": "uint64", "minimum": 0, "maximum": 2**64 - 1},
}


def well_known(descriptor: Descriptor) -> Schema | None:
    """The schema of a well-known type, or None for a message of the contract's own."""
    if descriptor.full_name in WRAPPERS:
        return _SCALARS[descriptor.fields_by_name["value"].type]
    return _WELL_KNOWN.get(descriptor.full_name)


class Schemas:
    """Collects the schemas that operations refer to; `components` holds them by full name."""

    def __init__(self, comments: Comments, *, style: Json | None = None) -> None:
        self._comments = comments
        self._style = style or Json()
        self.components: dict[str, Schema] = {}

    def name(self, field: FieldDescriptor) -> str:
        """What the field is called in JSON."""
        return str(field.name if self._style.use_proto_names else field.json_name)

    def message(self, descriptor: Descriptor) -> Schema:
        """A schema for the message: inline for well-known types, else a reference."""
        known = well_known(descriptor)
        if known is not None:
            return known
        if descriptor.full_name not in self.components:
            self.components[descriptor.full_name] = {}  # reserves the name: a recursive type refers to itself
            self.components[descriptor.full_name] = self.object(descriptor)
        return {"$ref": f"#/components/schemas/{descriptor.full_name}"}

    def object(self, descriptor: Descriptor, *, without: Sequence[FieldPath] = (), partial: bool = False) -> Schema:
        """The message spelt out, but for the fields at the paths `without`; no field of a `partial` one is required."""
        fields = [field for field in descriptor.fields if (field.name,) not in without]
        schema: Schema = {"type": "object"}
        described(schema, " ".join(filter(None, (self._comments.of(descriptor.full_name).text, self._oneofs(fields)))))
        schema["properties"] = {self.name(field): self._property(field, _below(field, without)) for field in fields}
        required = [self.name(field) for field in fields if behaves(field, field_behavior_pb2.REQUIRED)]
        if required and not partial:
            schema["required"] = required
        clashes = [{"required": [*pair]} for group in self._groups(fields) for pair in combinations(group, 2)]
        if clashes:
            schema["not"] = clashes[0] if len(clashes) == 1 else {"anyOf": clashes}
        return schema

    def value(self, field: FieldDescriptor) -> Schema:
        """A field's value, whether one, a list or a map; never null."""
        entry = map_entry(field)
        if entry is None:
            one = self.single(field)
            return {"type": "array", "items": one} if field.is_repeated else one
        schema: Schema = {"type": "object", "additionalProperties": self.single(entry.fields_by_name["value"])}
        keys = _KEYS.get(entry.fields_by_name["key"].type)
        return schema if keys is None else {**schema, "propertyNames": keys}

    def answer(self, field: FieldDescriptor) -> Schema:
        """The value of a field that is a whole answer: 64-bit integers are numbers, an unset message is null."""
        schema = self.value(field)
        entry = map_entry(field)
        bare = _BARE.get(_SCALARS.get((entry.fields_by_name["value"] if entry else field).type, {}).get("format", ""))
        if bare is not None and entry is not None:
            return {**schema, "additionalProperties": bare}
        if bare is not None:
            schema = {**schema, "items": bare} if field.is_repeated else bare
        return _nullable(schema) if field.has_presence else schema

    def single(self, field: FieldDescriptor) -> Schema:
        """One value of a field, also of a repeated one."""
        if field.message_type is not None:
            return self.message(field.message_type)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        return dict(_SCALARS[field.type])

    def _property(self, field: FieldDescriptor, without: Sequence[FieldPath]) -> Schema:
        kind = None if field.is_repeated else field.message_type
        schema = self.object(kind, without=without) if without and kind is not None else self.value(field)
        if kind is not None and field.containing_oneof is None:
            schema = _nullable(schema)
        schema = dict(schema)
        described(schema, self._comments.of(field.full_name).text)
        if behaves(field, field_behavior_pb2.OUTPUT_ONLY):
            schema["readOnly"] = True
        if behaves(field, field_behavior_pb2.INPUT_ONLY):
            schema["writeOnly"] = True
        if field.GetOptions().deprecated:
            schema["deprecated"] = True
        return schema

    def _enum(self, enum: EnumDescriptor) -> Schema:
        if enum.full_name == "google.protobuf.NullValue":
            return _NULL
        if enum.full_name not in self.components:
            numbers = self._style.use_enum_numbers
            # Two names may stand for one number.
            values = {value.number if numbers else value.name: value for value in enum.values}
            schema: Schema = {"type": "integer" if numbers else "string", "enum": [*values]}
            comments = {key: self._comments.of(f"{enum.full_name}.{one.name}").text for key, one in values.items()}
            lines = [f"- `{key}`: {text}" for key, text in comments.items() if text]
            described(schema, "\n".join([self._comments.of(enum.full_name).text, "", *lines]).strip())
            self.components[enum.full_name] = schema
        return {"$ref": f"#/components/schemas/{enum.full_name}"}

    def _groups(self, fields: list[FieldDescriptor]) -> list[list[str]]:
        """The names in each oneof of two or more of the fields."""
        groups: dict[str, list[str]] = {}
        for field in fields:
            if field.containing_oneof is not None:
                groups.setdefault(field.containing_oneof.name, []).append(self.name(field))
        return [group for group in groups.values() if len(group) > 1]

    def _oneofs(self, fields: list[FieldDescriptor]) -> str:
        """A sentence for each oneof of two or more fields."""
        groups = [", ".join(f"`{name}`" for name in group) for group in self._groups(fields)]
        return " ".join(f"At most one of {group} is set." for group in groups)


def behaves(field: FieldDescriptor, behavior: "field_behavior_pb2.FieldBehavior.ValueType") -> bool:
    """Whether google.api.field_behavior of the field lists `behavior`."""
    return behavior in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]


def described(schema: Schema, text: str) -> None:
    """Set the description where there is one."""
    if text:
        schema["description"] = text


def _nullable(schema: Schema) -> Schema:
    """The same, or null: what an unset message shows."""
    if not schema:
        return schema
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, _NULL]}


def _below(field: FieldDescriptor, paths: Sequence[FieldPath]) -> Sequence[FieldPath]:
    """The paths that lead through the field, from there on."""
    return [path[1:] for path in paths if len(path) > 1 and path[0] == field.name]
