"""Query parameters into message fields: `a.b=1`, repeated keys, `map[key]=value`.

Keys are dotted paths; every part may be the proto name or the JSON name of its field.
"""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcode.codec.fault import check_depth
from gateway.transcode.codec.mask import field_by_any_name
from gateway.transcode.codec.types import map_entry
from gateway.transcode.errors import RefusedError, bad_request
from gateway.transcode.request.populate import Populator, descend

_BRACKET = re.compile(r"(?P<name>.*)\[(?P<key>.*)\]")
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def parse_query(query: bytes) -> dict[str, list[str]]:
    """The values of each key in order; raises RefusedError for a broken escape, a bare `;`, or what is not UTF-8."""
    pairs: dict[str, list[str]] = {}
    for part in query.split(b"&"):
        if not part:
            continue
        if b";" in part:
            raise bad_request("query", "parameters are separated by '&'; a semicolon in a value is written %3B")
        key, _, value = part.partition(b"=")
        pairs.setdefault(_text(key), []).append(_text(value))
    return pairs


def _text(raw: bytes) -> str:
    if _BROKEN_ESCAPE.search(raw):
        raise bad_request("query", f"broken percent escape in {raw.decode('latin-1')!r}")
    decoded = _ESCAPE.sub(lambda found: bytes([int(found.group(1), 16)]), raw.replace(b"+", b" "))
    try:
        return decoded.decode()
    except UnicodeDecodeError:
        raise bad_request("query", "the decoded text is not UTF-8") from None


class _UnknownKeyError(Exception):
    """The part `name` of a key is no field of `holder`; `known` are the fields before it."""

    def __init__(self, holder: Descriptor, name: str, known: Sequence[FieldDescriptor], prefix: str) -> None:
        super().__init__(name)
        self.holder = holder
        self.name = name
        self.known = tuple(known)
        self.prefix = prefix


class QueryReader:
    """Reads the query of one binding into its request message.

    `excluded` are the field paths (proto names) that the body or the path fill: their keys are skipped. `strict`: a key
    that is no field is refused; else it is ignored.
    """

    def __init__(
        self, descriptor: Descriptor, *, excluded: Sequence[tuple[str, ...]], populator: Populator, strict: bool
    ) -> None:
        self._descriptor = descriptor
        self._excluded = tuple(excluded)
        self._populator = populator
        self._strict = strict

    def read(self, query: bytes, message: Any) -> None:
        """Set the fields that the query names; raises RefusedError naming the key."""
        self.fill(parse_query(query), message)

    def fill(self, parameters: dict[str, list[str]], message: Any) -> None:
        """Set the fields that parsed parameters name; raises RefusedError naming the key."""
        given: set[tuple[str, ...]] = set()
        for key, values in parameters.items():
            try:
                self._set(message, key, values, given)
            except _UnknownKeyError as error:
                if self._strict:
                    raise _unknown(key, error) from None
            except ValueError as error:
                raise bad_request(key, str(error)) from None

    def _set(self, message: Any, key: str, values: list[str], given: set[tuple[str, ...]]) -> None:
        found = _BRACKET.fullmatch(key)
        bare, bracket = (found["name"], found["key"]) if found else (key, None)
        try:
            path = self._resolve(bare)
        except _UnknownKeyError as error:
            if not self._strict and not self._is_excluded(bare.split(".")):
                descend(message, error.known)
            raise
        names = tuple(field.name for field in path)
        if self._is_excluded(names):
            return
        field = path[-1]
        if bracket is not None:
            if self._strict and map_entry(field) is None:
                raise _UnknownKeyError(self._descriptor, f"{bare}[{bracket}]", (), "")
            values = [bracket, *values]
        elif not field.is_repeated and names in given:
            raise ValueError("has too many values, the field takes one")
        self._populator.set(message, path, values)
        given.add(names)

    def _is_excluded(self, names: Sequence[str]) -> bool:
        return any(tuple(names[: len(skipped)]) == skipped for skipped in self._excluded)

    def _resolve(self, bare: str) -> list[FieldDescriptor]:
        """The fields along a dotted path; raises _UnknownKeyError, or ValueError where it passes what has no fields."""
        fields: list[FieldDescriptor] = []
        holder: Descriptor | None = self._descriptor
        prefix = ""
        for name in bare.split("."):
            check_depth(len(fields))
            if holder is None:
                raise ValueError(f"{fields[-1].name!r} is not a message, nothing can be named below it")
            field = field_by_any_name(holder, name)
            if field is None:
                raise _UnknownKeyError(holder, name, fields, prefix)
            fields.append(field)
            holder = None if field.is_repeated else field.message_type
            prefix += f"{name}."
        return fields


def _unknown(key: str, error: _UnknownKeyError) -> RefusedError:
    names = {field.json_name: field.name for field in error.holder.fields}
    close = get_close_matches(error.name, [*names, *names.values()], n=1, cutoff=0.5)
    hint = f", did you mean {error.prefix + close[0]!r}?" if close else ""
    return bad_request(key, f"is no parameter of this request{hint}")
