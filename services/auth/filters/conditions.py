"""Filters of servers as conditions in SQL. Statements hold only what stands here; values are parameters. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flick.v1 import servers_pb2
from services.auth.filters.parser import All, Comparison, Node, Not, Value, fault, parse

_PREFIX = "SERVER_CATEGORY_"
_CATEGORIES = {name.removeprefix(_PREFIX).lower(): number for name, number in servers_pb2.ServerCategory.items()}


@dataclass
class Condition:
    """A condition on rows of auth.servers, with parameters from `first` on."""

    first: int
    text: str = "true"
    arguments: list[object] = field(default_factory=list)

    def parameter(self, value: object) -> str:
        """The place of a further parameter."""
        self.arguments.append(value)
        return f"${self.first + len(self.arguments) - 1}"


def condition(text: str, *, first: int) -> Condition:
    """What a filter means.

    Args:
        text: the filter; blank: every server.
        first: the number of the first parameter that the statement leaves to the condition.

    Raises INVALID_ARGUMENT for `filter`, saying where and what.
    """
    node, made = parse(text), Condition(first=first)
    if node is not None:
        made.text = _sql(node, made)
    return made


def _sql(node: Node, made: Condition) -> str:
    """In parentheses wherever something may follow, and never null, so that NOT is the opposite."""
    if isinstance(node, Comparison):
        return _compare(node, made)
    if isinstance(node, Not):
        return f"(not {_sql(node.part, made)})"
    word = " and " if isinstance(node, All) else " or "
    return f"({word.join(_sql(part, made) for part in node.parts)})"


def _compare(comparison: Comparison, made: Condition) -> str:
    read = _FIELDS.get(comparison.field)
    if read is None:
        raise fault(
            comparison.position, f"there is no field {comparison.field[:30]!r}; choose one of {', '.join(_FIELDS)}."
        )
    return read(comparison, made)


def _text(column: str) -> Callable[[Comparison, Condition], str]:
    def read(comparison: Comparison, made: Condition) -> str:
        _require(comparison, "=", "!=", ":")
        matches = _matches(column, comparison, made)
        return f"(not {matches})" if comparison.operator == "!=" else matches

    return read


def _matches(column: str, comparison: Comparison, made: Condition) -> str:
    """Whether a text is, or with `:` contains, the value, whatever its case."""
    value = comparison.value
    if value.is_anything:
        return f"({column} <> '')"
    if comparison.operator == ":" and not (value.open_start or value.open_end):
        value = Value(text=value.text, open_start=True, open_end=True, position=value.position)
    return _like(f"lower({column})", value, made)


def _like(column: str, value: Value, made: Condition) -> str:
    if not (value.open_start or value.open_end):
        return f"({column} = lower({made.parameter(value.text)}::text))"
    escaped = value.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    pattern = f"{'%' if value.open_start else ''}{escaped}{'%' if value.open_end else ''}"
    return f"({column} like lower({made.parameter(pattern)}::text))"


def _tags(comparison: Comparison, made: Condition) -> str:
    _require(comparison, "=", "!=", ":")
    if comparison.value.is_anything:
        has = "(servers.tags <> '{}')"
    else:
        has = f"exists (select from unnest(servers.tags) as tag where {_like('tag', comparison.value, made)})"
    return f"(not {has})" if comparison.operator == "!=" else has


def _group(comparison: Comparison, made: Condition) -> str:
    _require(comparison, "=", "!=", ":")
    if comparison.value.is_anything or not comparison.value.text:
        within = "(servers.server_group_id is not null)"
        named = within if comparison.value.is_anything else f"(not {within})"
    else:
        name = _matches("server_groups.display_name", comparison, made)
        by_id = f"server_groups.server_group_id::text = lower({made.parameter(comparison.value.text)}::text)"
        named = (
            "exists (select from auth.server_groups "
            f"where server_groups.server_group_id = servers.server_group_id and ({name} or {by_id}))"
        )
    return f"(not {named})" if comparison.operator == "!=" else named


def _category(comparison: Comparison, made: Condition) -> str:
    _require(comparison, "=", "!=", ":")
    if comparison.value.is_anything:
        number, same = 0, comparison.operator == "!="
    else:
        name = comparison.value.text.lower().removeprefix(_PREFIX.lower())
        known = _CATEGORIES.get(name)
        if known is None or comparison.value.open_start or comparison.value.open_end:
            raise fault(comparison.value.position, f"a category is one of {', '.join(_CATEGORIES)}.")
        number, same = known, comparison.operator != "!="
    return f"(servers.category {'=' if same else '<>'} {made.parameter(number)}::smallint)"


def _create_time(comparison: Comparison, made: Condition) -> str:
    operator = _require(comparison, "=", "!=", "<", "<=", ">", ">=")
    value = comparison.value
    try:
        if value.open_start or value.open_end:
            raise ValueError("a wildcard")
        moment = datetime.fromisoformat(value.text)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise fault(value.position, "write a time like 2026-01-31 or 2026-01-31T12:00:00Z.") from None
    return f"(servers.create_time {'<>' if operator == '!=' else operator} {made.parameter(moment)}::timestamptz)"


def _require(comparison: Comparison, *operators: str) -> str:
    if comparison.operator not in operators:
        raise fault(
            comparison.position,
            f"{comparison.field} is compared by {' '.join(operators)}, not by {comparison.operator}.",
        )
    return comparison.operator


_FIELDS: Mapping[str, Callable[[Comparison, Condition], str]] = {
    "display_name": _text("servers.display_name"),
    "tags": _tags,
    "category": _category,
    "server_group": _group,
    "hostname": _text("servers.hostname"),
    "os_type": _text("servers.os_type"),
    "create_time": _create_time,
}
