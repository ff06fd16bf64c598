"""What a server group's fields may hold, and which of them a request changes."""

from dataclasses import dataclass

from google.protobuf.field_mask_pb2 import FieldMask

from flick.v1 import server_groups_pb2
from services.auth.rules import names
from services.auth.rules.masks import changed_fields

CHANGEABLE = ("display_name", "description")
MAX_GROUPS = 1000  # of an organization: as many as fit on one page


@dataclass(frozen=True, kw_only=True)
class GroupChange:
    """The new values of a group's fields; None leaves a field as it is."""

    display_name: str | None = None
    description: str | None = None


def read_change(group: server_groups_pb2.ServerGroup, mask: FieldMask) -> GroupChange:
    """What the fields that `mask` names are to be. Raises INVALID_ARGUMENT that names the field and its fix."""
    fields = changed_fields(mask, changeable=CHANGEABLE, message=server_groups_pb2.ServerGroup.DESCRIPTOR)
    return GroupChange(
        display_name=display_name(group) if "display_name" in fields else None,
        description=description(group) if "description" in fields else None,
    )


def display_name(group: server_groups_pb2.ServerGroup) -> str:
    """The group's name. Raises INVALID_ARGUMENT."""
    return names.display_name(group.display_name, field="server_group.display_name")


def description(group: server_groups_pb2.ServerGroup) -> str:
    """The group's description. Raises INVALID_ARGUMENT."""
    return names.description(group.description, field="server_group.description")
