"""What a server's fields may hold, and which of them a request changes."""

from dataclasses import dataclass
from uuid import UUID

from google.protobuf.field_mask_pb2 import FieldMask

from flick.errors import FlickError, invalid
from flick.ids import parse_id
from flick.v1 import servers_pb2
from services.auth.rules import names, tags
from services.auth.rules.masks import changed_fields

CHANGEABLE = ("display_name", "tags", "description", "category", "server_group_id")


@dataclass(frozen=True, kw_only=True)
class ServerChange:
    """The new values of a server's fields; None leaves a field as it is."""

    display_name: str | None = None
    tags: list[str] | None = None
    description: str | None = None
    category: int | None = None
    server_group_id: UUID | None = None
    leaves_group: bool = False
    """Whether it is in no group from now on."""


def read_change(server: servers_pb2.Server, mask: FieldMask) -> ServerChange:
    """What the fields that `mask` names are to be. Raises INVALID_ARGUMENT that names the field and its fix."""
    fields = changed_fields(mask, changeable=CHANGEABLE, message=servers_pb2.Server.DESCRIPTOR)
    group_id = _group_id(server.server_group_id) if "server_group_id" in fields else None
    return ServerChange(
        display_name=names.display_name(server.display_name, field="server.display_name")
        if "display_name" in fields
        else None,
        tags=tags.checked_tags(server.tags, field="server.tags") if "tags" in fields else None,
        description=names.description(server.description, field="server.description")
        if "description" in fields
        else None,
        category=_category(server.category) if "category" in fields else None,
        server_group_id=group_id,
        leaves_group="server_group_id" in fields and group_id is None,
    )


def unknown_group() -> FlickError:
    """INVALID_ARGUMENT for a group that is not of the server's organization, or not at all."""
    return invalid(
        "server.server_group_id", "names no group of the server's organization; list the groups, or leave it empty."
    )


def _group_id(text: str) -> UUID | None:
    if not text:
        return None
    parsed = parse_id(text)
    if parsed is None:
        raise unknown_group()
    return parsed


def _category(number: int) -> int:
    known = servers_pb2.ServerCategory.DESCRIPTOR.values_by_number
    if number not in known:  # the wire carries any number
        listed = ", ".join(value.name for value in known.values())
        raise invalid("server.category", f"is {number}, which is none; choose one of {listed}.")
    return number
