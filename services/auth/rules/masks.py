"""Update masks: which fields a request changes (AIP-161)."""

from collections.abc import Collection

from google.protobuf.descriptor import Descriptor
from google.protobuf.field_mask_pb2 import FieldMask

from flick.errors import invalid


def changed_fields(
    mask: FieldMask, *, changeable: Collection[str], message: Descriptor, field: str = "update_mask"
) -> frozenset[str]:
    """The fields of `message` that `mask` names.

    Raises INVALID_ARGUMENT for an empty mask, and for a path that is no field or can't be changed.
    """
    listed = ", ".join(changeable)
    if not mask.paths:
        raise invalid(field, f"names no field; name those to change: {listed}.")
    for path in mask.paths:
        if path not in changeable:
            fault = "can't be changed" if path in message.fields_by_name else "is no field of its own"
            raise invalid(field, f"names {path!r}, which {fault}; what can be changed: {listed}.")
    return frozenset(mask.paths)
