"""Update masks: which fields a request changes (AIP-161)."""

from collections.abc import Collection

from google.protobuf.field_mask_pb2 import FieldMask

from flick.errors import invalid


def changed_fields(mask: FieldMask, *, changeable: Collection[str]) -> frozenset[str]:
    """The fields that `mask` names. Raises INVALID_ARGUMENT for an empty mask and for a path that can't be changed."""
    listed = ", ".join(changeable)
    if not mask.paths:
        raise invalid("update_mask", f"names no field; name those to change: {listed}.")
    for path in mask.paths:
        if path not in changeable:
            raise invalid("update_mask", f"names {path!r}, which can't be changed; what can: {listed}.")
    return frozenset(mask.paths)
