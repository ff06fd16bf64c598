"""Field paths such as `server.display_name`, resolved against a message type."""

from collections.abc import Sequence

from google.protobuf.descriptor import Descriptor, FieldDescriptor


class FieldPathError(ValueError):
    """A path names no field, or passes through one that has none below it."""


def resolve(descriptor: Descriptor, path: Sequence[str]) -> tuple[FieldDescriptor, ...]:
    """The fields along a path of proto names; raises FieldPathError."""
    fields: list[FieldDescriptor] = []
    holder: Descriptor | None = descriptor
    for name in path:
        if holder is None:
            raise FieldPathError(f"{fields[-1].name!r} is no message and has no field {name!r}")
        field = holder.fields_by_name.get(name)
        if field is None:
            raise FieldPathError(f"{holder.full_name} has no field {name!r}")
        fields.append(field)
        holder = field.message_type
    return tuple(fields)
