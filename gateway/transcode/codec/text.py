"""JSON text to values: UTF-8, no NaN literals, names that stand twice kept in mind, nothing that crashes."""

import json
import re
from collections import Counter
from typing import Any

from gateway.transcode.codec.fault import JsonError

_SPACE = re.compile(r"[ \t\r\n]*")


class Doubled(dict[str, Any]):
    """An object in which names stand twice: a fault, unless nobody reads them."""

    doubled: frozenset[str]


def parse_json(body: bytes, *, whole: bool = False) -> Any:
    """The first JSON value of `body`, whatever follows it, or the one of a `whole` body; raises JsonError."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise JsonError("the body is not UTF-8") from None
    start = _SPACE.match(text)
    try:
        value, end = _DECODER.raw_decode(text, start.end() if start else 0)
    except json.JSONDecodeError as error:
        raise JsonError(f"the body is no JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise JsonError("the body is nested too deeply") from None
    if whole and text[end:].strip(" \t\r\n"):
        raise JsonError("something follows the JSON")
    return value


def is_blank(body: bytes) -> bool:
    """Whether a body holds nothing but white space."""
    return not body.strip(b" \t\r\n")


def members(value: Any) -> dict[str, Any]:
    """The members of an object that are all read; raises JsonError for another value or a name that stands twice."""
    if type(value) is dict:
        return value
    if isinstance(value, Doubled):
        raise JsonError("is given twice").within(min(value.doubled))
    raise JsonError("must be an object")


def _collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    kept = Doubled(value)
    counts = Counter(key for key, _ in pairs)
    kept.doubled = frozenset(key for key, count in counts.items() if count > 1)
    return kept


def _constant(name: str) -> Any:
    raise JsonError(f'{name} is no JSON number, write "{name}" as a string')


def _integer(digits: str) -> int | float:
    """Python reads at most 4300 digits into an int; no field takes so many."""
    return int(digits) if len(digits) < 400 else float(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=_collect, parse_constant=_constant, parse_int=_integer)
