"""Pages of lists: how many rows, and where the next page begins (AIP-158). Tokens are opaque to callers."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from flick.errors import FlickError, invalid
from flick.ids import parse_id

DEFAULT_SIZE = 100
MAX_SIZE = 1000
MAX_TOKEN_LENGTH = 8192  # a host name of 253 characters takes 12 bytes each in JSON at worst, a third more in base64

T = TypeVar("T")


def page_size(asked: int) -> int:
    """How many rows a page has. Raises INVALID_ARGUMENT beyond 0 to 1000."""
    if not 0 <= asked <= MAX_SIZE:
        raise invalid("page_size", f"is {asked}; give 1 to {MAX_SIZE}, or 0 for {DEFAULT_SIZE}.")
    return asked or DEFAULT_SIZE


def write_token(*position: str) -> str:
    """The token of the page that follows the row at `position`, its sort key."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def read_token(token: str, *, length: int) -> tuple[str, ...] | None:
    """The sort key of `length` strings that the page follows; None for the first page. Raises INVALID_ARGUMENT."""
    if not token:
        return None
    if len(token) > MAX_TOKEN_LENGTH:
        raise _unknown_token()
    try:
        padded = token + "=" * (-len(token) % 4)
        position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise _unknown_token() from error
    if not isinstance(position, list) or len(position) != length or not all(_is_text(part) for part in position):
        raise _unknown_token()
    return tuple(position)


def read_id(token: str) -> UUID | None:
    """As `read_token`, for lists that are sorted by id."""
    position = read_token(token, length=1)
    return _id(position[0]) if position else None


def read_name_and_id(token: str) -> tuple[str, UUID] | None:
    """As `read_token`, for lists that are sorted by name and id."""
    position = read_token(token, length=2)
    return (position[0], _id(position[1])) if position else None


def read_key_and_id(token: str, *, asked: str, read: Callable[[str], T]) -> tuple[T, UUID] | None:
    """As `read_token`, for lists that are sorted by a key that the caller chooses, and id.

    Args:
        token: the page token.
        asked: the fingerprint of what is asked for, which must be the same on every page.
        read: makes the key of its text; raises ValueError.
    """
    position = read_token(token, length=3)
    if position is None:
        return None
    if position[0] != asked:
        raise invalid(
            "page_token", "belongs to another filter, order or organization; leave it empty for the first page."
        )
    try:
        return read(position[1]), _id(position[2])
    except (ValueError, OverflowError) as error:
        raise _unknown_token() from error


def fingerprint(*parts: str) -> str:
    """What a list was asked for, in a few characters."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def cut(rows: Sequence[T], *, size: int) -> tuple[Sequence[T], T | None]:
    """A page out of up to `size` + 1 rows, and the row that the next page follows; None when this is the last."""
    return (rows[:size], rows[size - 1]) if len(rows) > size else (rows, None)


def _id(text: str) -> UUID:
    parsed = parse_id(text)
    if parsed is None:
        raise _unknown_token()
    return parsed


def _is_text(part: object) -> bool:
    return isinstance(part, str) and "\0" not in part and not any("\ud800" <= letter <= "\udfff" for letter in part)


def _unknown_token() -> FlickError:
    return invalid("page_token", "is none that this method gave; leave it empty for the first page.")
