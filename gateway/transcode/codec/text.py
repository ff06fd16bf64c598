"""JSON text to values: UTF-8, no duplicate keys, no NaN literals, nothing that crashes."""

import json
import re
from typing import Any

from gateway.transcode.codec.fault import JsonError

_SPACE = re.compile(r"[ \t\r\n]*")


def parse_json(body: bytes) -> Any:
    """The first JSON value of `body`, whatever follows it; raises JsonError."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise JsonError("the body is not UTF-8") from None
    start = _SPACE.match(text)
    try:
        value, _ = _DECODER.raw_decode(text, start.end() if start else 0)
    except json.JSONDecodeError as error:
        raise JsonError(f"the body is no JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise JsonError("the body is nested too deeply") from None
    return value


def is_blank(body: bytes) -> bool:
    """Whether a body holds nothing but white space."""
    return not body.strip(b" \t\r\n")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise JsonError("is given twice").within(key)
            seen.add(key)
    return value


def _constant(name: str) -> Any:
    raise JsonError(f'{name} is no JSON number, write "{name}" as a string')


def _integer(digits: str) -> int | float:
    """Python reads at most 4300 digits into an int; no field takes so many."""
    return int(digits) if len(digits) < 400 else float(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_constant, parse_int=_integer)
