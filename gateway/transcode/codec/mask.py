"""Field masks: the JSON spelling of their paths, and the mask that a PATCH body implies, as grpc-gateway derives it."""

import re
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcode.codec.fault import JsonError

_SNAKE = re.compile(r"_+(.?)")
_UPPER = re.compile(r"[A-Z]")
_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_FREE_FORM = frozenset({"google.protobuf.Struct", "google.protobuf.Value"})


def camel_path(path: str) -> str:
    """`server.display_name` as `server.displayName`; ValueError if the way back would differ."""
    camel = _SNAKE.sub(lambda found: found.group(1).upper(), path)
    if _snake(camel) != path or _PATH.fullmatch(path) is None:
        raise ValueError(f"the path {path!r} has no JSON spelling")
    return camel


def snake_path(path: str) -> str:
    """`server.displayName` as `server.display_name`; ValueError if it is no path."""
    if "_" in path or _PATH.fullmatch(path) is None:
        raise ValueError(f"{path!r} is no field path in lowerCamelCase")
    return _snake(path)


def _snake(path: str) -> str:
    return _UPPER.sub(lambda found: "_" + found.group().lower(), path)


def mask_paths(value: Any, descriptor: Descriptor) -> list[str]:
    """Sorted leaf paths in proto names; raises JsonError for a field that `descriptor` does not have.

    Repeated fields, maps, Any and empty or null messages are leaves; a Struct is followed by its JSON keys.
    """
    if not isinstance(value, dict):
        return []
    return sorted(_message_paths(value, descriptor))


def _message_paths(value: dict[str, Any], descriptor: Descriptor) -> list[str]:
    paths: list[str] = []
    for key, item in value.items():
        field = field_by_any_name(descriptor, key)
        if field is None:
            raise JsonError(f"is no field of {descriptor.name}").within(key)
        try:
            inner = _field_paths(item, field)
        except JsonError as fault:
            raise fault.within(key) from None
        paths += [f"{field.name}.{path}" for path in inner] or [field.name]
    return paths


def _field_paths(value: Any, field: FieldDescriptor) -> list[str]:
    """Paths below a field; empty when the field itself is the leaf."""
    kind = field.message_type
    if field.is_repeated or not isinstance(value, dict):
        return []
    if kind is None:
        if value:
            raise JsonError("is no message")
        return []
    if kind.full_name == "google.protobuf.Any":
        if "@type" not in value:
            raise JsonError('needs an "@type"')
        return []
    if kind.full_name in _FREE_FORM:
        return _free_paths(value)
    return _message_paths(value, kind)


def _free_paths(value: dict[str, Any]) -> list[str]:
    paths: list[str] = []
    for key, item in value.items():
        inner = _free_paths(item) if isinstance(item, dict) else []
        paths += [f"{key}.{path}" for path in inner] or [key]
    return paths


def field_by_any_name(descriptor: Descriptor, name: str) -> FieldDescriptor | None:
    """The field of that proto name or JSON name."""
    field: FieldDescriptor | None = descriptor.fields_by_name.get(name)
    return field or next((field for field in descriptor.fields if field.json_name == name), None)
