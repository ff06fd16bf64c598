"""Query parameters into message fields: `a.b=1`, repeated keys, `map[key]=value`.

Keys are dotted paths; every part may be the proto name or the JSON name of its field.
"""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcode.codec.decode import DecoderSet, map_key_reader
from gateway.transcode.codec.fault import check_depth
from gateway.transcode.codec.mask import field_by_any_name
from gateway.transcode.codec.types import map_entry
from gateway.transcode.errors import RefusedError, bad_request
from gateway.transcode.profile import Profile
from gateway.transcode.request.values import DOTTED, Put, put, scalar

_BRACKET = re.compile(r"(?P<name>[^\[\]]+)\[(?P<key>.*)\]", re.DOTALL)
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def parse_query(query: bytes) -> list[tuple[str, str]]:
    """Keys and values in order; raises RefusedError for a broken escape, text that is not UTF-8, or a bare `;`."""
    pairs: list[tuple[str, str]] = []
    for part in query.split(b"&"):
        if not part:
            continue
        if b";" in part:
            raise bad_request("query", "parameters are separated by '&'; a semicolon in a value is written %3B")
        key, _, value = part.partition(b"=")
        pairs.append((_text(key), _text(value)))
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
    """A key, or its part `name`, is no field of `holder`."""

    def __init__(self, holder: Descriptor, name: str, prefix: str) -> None:
        super().__init__(name)
        self.holder = holder
        self.name = name
        self.prefix = prefix


class QueryReader:
    """Reads the query of one binding into its request message.

    `excluded` are the field paths (proto names) that the body or the path fill: their keys are skipped.
    """

    def __init__(
        self, descriptor: Descriptor, *, excluded: Sequence[tuple[str, ...]], codec: DecoderSet, profile: Profile
    ) -> None:
        self._descriptor = descriptor
        self._excluded = tuple(excluded)
        self._codec = codec
        self._strict = profile.unknown_query_is_an_error
        self._puts: dict[str, Put | None] = {}

    def read(self, query: bytes, message: Any) -> None:
        """Set the fields that the query names; raises RefusedError naming the key."""
        given: set[tuple[str, ...]] = set()
        for key, value in parse_query(query):
            try:
                self._set(message, key, value, given)
            except _UnknownKeyError as error:
                if self._strict:
                    raise self._unknown(key, error) from None
            except ValueError as error:
                raise bad_request(key, str(error)) from None

    def _set(self, message: Any, key: str, value: str, given: set[tuple[str, ...]]) -> None:
        path, bracket = self._resolve(key)
        names = tuple(field.name for field in path)
        if any(names[: len(skipped)] == skipped for skipped in self._excluded):
            return
        field = path[-1]
        if not field.is_repeated and names in given:
            raise ValueError("has too many values, the field takes one")
        _refuse_second_of_oneof(path, message, names, given)
        holder = message
        for parent in path[:-1]:
            holder = getattr(holder, parent.name)
        entry = map_entry(field)
        if bracket is not None and entry is not None:
            self._set_map(getattr(holder, field.name), entry, bracket, value)
        else:
            self._put(field)(holder, value)
        given.add(names)

    def _resolve(self, key: str) -> tuple[list[FieldDescriptor], str | None]:
        """The fields along a key, and the text between brackets behind it."""
        found = _BRACKET.fullmatch(key)
        bare, bracket = (found["name"], found["key"]) if found else (key, None)
        fields: list[FieldDescriptor] = []
        holder = self._descriptor
        prefix = ""
        for name in bare.split("."):
            check_depth(len(fields))
            if fields:
                holder = _below(fields[-1])
            field = field_by_any_name(holder, name)
            if field is None:
                raise _UnknownKeyError(holder, name, prefix)
            fields.append(field)
            prefix += f"{name}."
        if bracket is not None and map_entry(fields[-1]) is None:
            raise _UnknownKeyError(holder, f"{name}[{bracket}]", prefix.removesuffix(f"{name}."))
        return fields, bracket

    def _put(self, field: FieldDescriptor) -> Put:
        if field.full_name not in self._puts:
            self._puts[field.full_name] = put(field, self._codec, forms=DOTTED)
        action = self._puts[field.full_name]
        if action is None:
            raise ValueError(_no_text(field))
        return action

    def _set_map(self, target: Any, entry: Descriptor, key_text: str, value: str) -> None:
        key = map_key_reader(entry.fields_by_name["key"])(key_text)
        value_field = entry.fields_by_name["value"]
        if key in target:
            raise ValueError("is given twice")
        if value_field.message_type is None:
            target[key] = scalar(value_field)(value)
            return
        holder: Any = self._codec.types.message_class(entry)()
        self._put(value_field)(holder, value)
        target[key].CopyFrom(holder.value)

    def _unknown(self, key: str, error: _UnknownKeyError) -> RefusedError:
        names = {field.json_name: field.name for field in error.holder.fields}
        close = get_close_matches(error.name, [*names, *names.values()], n=1, cutoff=0.5)
        hint = f", did you mean {error.prefix + close[0]!r}?" if close else ""
        return bad_request(key, f"is no parameter of this request{hint}")


def _no_text(field: FieldDescriptor) -> str:
    if map_entry(field) is not None:
        return "is a map, write the key in brackets: name[key]=value"
    kind = field.message_type.name if field.message_type is not None else ""
    return f"is a {kind}, which has no form as text: name a field in it"


def _below(field: FieldDescriptor) -> Descriptor:
    if field.message_type is None or field.is_repeated:
        raise ValueError(f"{field.name!r} is not a message, nothing can be named below it")
    return field.message_type


def _refuse_second_of_oneof(
    path: Sequence[FieldDescriptor], message: Any, names: tuple[str, ...], given: set[tuple[str, ...]]
) -> None:
    """Refuse a member of a oneof when another of it is set, at any level of the path."""
    holder = message
    for field in path:
        oneof = field.containing_oneof
        if oneof is not None:
            taken = holder.WhichOneof(oneof.name)
            if taken is not None and taken != field.name:
                raise ValueError(f"excludes {taken!r}: only one of {oneof.name!r} may be set")
        if field.message_type is not None and not field.is_repeated:
            holder = getattr(holder, field.name)
