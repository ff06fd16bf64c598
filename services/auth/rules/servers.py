"""What a server's fields may hold, and which of them a request changes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from google.protobuf.field_mask_pb2 import FieldMask

from flick.errors import FlickError, invalid
from flick.ids import parse_id
from flick.v1 import servers_pb2
from services.auth.rules import names, settings, tags
from services.auth.rules.masks import changed_fields
from services.auth.rules.settings import SettingsChange

CHANGEABLE = ("display_name", "tags", "description", "category", "server_group_id")
TOGETHER = ("tags", "description", "category", "server_group_id")  # what several servers may have alike


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
    add_tags: Sequence[str] = ()
    remove_tags: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class BatchChange:
    """What several servers are to have alike."""

    fields: ServerChange
    settings: SettingsChange


def read_batch(request: servers_pb2.BatchUpdateServersRequest) -> BatchChange:
    """What a request changes, which is something. Raises INVALID_ARGUMENT that names the field and its fix."""
    has_fields, has_settings = bool(request.update_mask.paths), bool(request.settings_mask.paths)
    added = tags.checked_tags(request.add_tags, field="add_tags")
    removed = tags.checked_tags(request.remove_tags, field="remove_tags")
    if not (has_fields or has_settings or added or removed):
        raise invalid("update_mask", "names no field, and there are no tags to add or remove; name what to change.")
    if (added or removed) and "tags" in request.update_mask.paths:
        raise invalid("update_mask", "names tags, which add_tags and remove_tags change; use one of them.")
    change = read_change(request.server, request.update_mask, changeable=TOGETHER) if has_fields else ServerChange()
    return BatchChange(
        fields=replace(change, add_tags=added, remove_tags=removed),
        settings=settings.read_change(request.settings, request.settings_mask, mask_field="settings_mask")
        if has_settings
        else {},
    )


def read_change(
    server: servers_pb2.Server, mask: FieldMask, *, changeable: Collection[str] = CHANGEABLE
) -> ServerChange:
    """What the fields that `mask` names are to be. Raises INVALID_ARGUMENT that names the field and its fix."""
    fields = changed_fields(mask, changeable=changeable, message=servers_pb2.Server.DESCRIPTOR)
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


def too_many_tags() -> FlickError:
    """INVALID_ARGUMENT for tags of which some server would have too many."""
    return invalid("add_tags", f"would give a server more than {tags.MAX_TAGS} tags; remove some.")


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
