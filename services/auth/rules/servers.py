"""What a server's fields may hold, and which of them a request changes."""

import unicodedata
from dataclasses import dataclass

from google.protobuf.field_mask_pb2 import FieldMask

from flick.errors import invalid
from flick.v1 import servers_pb2
from services.auth.rules import names, tags
from services.auth.rules.masks import changed_fields

CHANGEABLE = ("display_name", "tags", "description", "category")
MAX_DESCRIPTION_LENGTH = 1000


@dataclass(frozen=True, kw_only=True)
class ServerChange:
    """The new values of a server's fields; None leaves a field as it is."""

    display_name: str | None = None
    tags: list[str] | None = None
    description: str | None = None
    category: int | None = None


def read_change(server: servers_pb2.Server, mask: FieldMask) -> ServerChange:
    """What the fields that `mask` names are to be. Raises INVALID_ARGUMENT that names the field and its fix."""
    fields = changed_fields(mask, changeable=CHANGEABLE, message=servers_pb2.Server.DESCRIPTOR)
    return ServerChange(
        display_name=names.display_name(server.display_name, field="server.display_name")
        if "display_name" in fields
        else None,
        tags=tags.checked_tags(server.tags, field="server.tags") if "tags" in fields else None,
        description=description(server.description, field="server.description") if "description" in fields else None,
        category=_category(server.category) if "category" in fields else None,
    )


def description(text: str, *, field: str) -> str:
    """A text of several lines without blanks around it.

    Raises INVALID_ARGUMENT when it is too long or has control characters.
    """
    text = text.replace("\r\n", "\n").strip()
    if len(text) > MAX_DESCRIPTION_LENGTH:
        raise invalid(field, f"has {len(text)} characters; give at most {MAX_DESCRIPTION_LENGTH}.")
    if any(unicodedata.category(letter) == "Cc" and letter not in "\n\t" for letter in text):
        raise invalid(field, "has control characters; leave them out.")
    return text


def _category(number: int) -> int:
    known = servers_pb2.ServerCategory.DESCRIPTOR.values_by_number
    if number not in known:  # the wire carries any number
        listed = ", ".join(value.name for value in known.values())
        raise invalid("server.category", f"is {number}, which is none; choose one of {listed}.")
    return number
