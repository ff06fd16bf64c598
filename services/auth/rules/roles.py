"""Which organization a caller means, and whether their role in it suffices."""

from collections.abc import Mapping

from flick.errors import FlickError, Kind, invalid, not_found
from flick.v1 import options_pb2


def only_organization(roles: Mapping[str, int], *, least: int) -> str:
    """The one organization in which the caller has at least the role `least`.

    Args:
        roles: the caller's roles by organization id.

    Raises PERMISSION_DENIED when there is none, INVALID_ARGUMENT when there are several.
    """
    fitting = [organization_id for organization_id, role in roles.items() if role >= least]
    if not fitting:
        raise FlickError(Kind.PERMISSION_DENIED, f"This needs the role {_name(least)} in an organization.")
    if len(fitting) > 1:
        raise invalid("organization_id", f"is empty, but you are {_name(least)} of several; name one.")
    return fitting[0]


def require(role: int | None, *, least: int, subject: str) -> None:
    """Refuse a role that does not suffice. None: not even a member, who is told the same as if nothing were there."""
    if role is None:
        raise not_found(subject)
    if role < least:
        raise FlickError(Kind.PERMISSION_DENIED, f"This needs the role {_name(least)} in the organization.")


def _name(role: int) -> str:
    return options_pb2.Role.Name(options_pb2.Role.ValueType(role)).removeprefix("ROLE_").lower()
