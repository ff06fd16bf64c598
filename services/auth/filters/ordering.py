"""By what a list of servers is sorted (AIP-132), and where its next page begins. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flick.errors import invalid

MAX_LENGTH = 100


@dataclass(frozen=True, kw_only=True)
class Order:
    """A sort key. Servers with the same key are sorted by their id.

    Attributes:
        key: the expression in SQL.
        kind: its type in SQL.
        read: what a page token says as the value that it was; raises ValueError.
        descending: whether the greatest comes first.
    """

    key: str
    kind: str
    read: Callable[[str], Any]
    descending: bool = False

    @staticmethod
    def write(value: Any) -> str:
        """The value of a key as a page token keeps it."""
        return value.isoformat() if isinstance(value, datetime) else str(value)


def parse_order(text: str) -> Order:
    """The order that `order_by` asks for; blank: by display name. Raises INVALID_ARGUMENT with its fix."""
    words = text[:MAX_LENGTH].split() or ["display_name"]
    way = words[1].lower() if len(words) == 2 else "asc"
    if len(text) > MAX_LENGTH or len(words) > 2 or words[0] not in _ORDERS or way not in ("asc", "desc"):
        raise invalid(
            "order_by", f"must be one of {', '.join(_ORDERS)}, which `desc` may follow, for example `hostname desc`."
        )
    kind, key, read = _ORDERS[words[0]]
    return Order(key=key, kind=kind, read=read, descending=way == "desc")


def _category(text: str) -> int:
    number = int(text)
    if not 0 <= number < 100:
        raise ValueError(text)
    return number


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment


_ORDERS: Mapping[str, tuple[str, str, Callable[[str], Any]]] = {
    "display_name": ("text", "lower(display_name)", str),
    "hostname": ("text", "lower(hostname)", str),
    "os_type": ("text", "lower(os_type)", str),
    "category": ("smallint", "category", _category),
    "create_time": ("timestamptz", "create_time", _moment),
}
