"""Random messages written as a query read back as the same message, in every profile."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from gateway.transcode.codec.decode import DecoderSet
from gateway.transcode.request.populate import Populator
from gateway.transcode.request.query import QueryReader
from tests.unit.transcode.contract import descriptor, make, types
from tests.unit.transcode.test_roundtrip import FIELDS, INT32, INT64, TEXT

POPULATOR = Populator(DecoderSet(types()))
NAMES = [
    *("double_value", "float_value", "int32_value", "int64_value", "uint32_value", "uint64_value", "sint64_value"),
    *("fixed32_value", "sfixed64_value", "bool_value", "string_value", "bytes_value", "renamed", "maybe_number"),
    *("maybe_text", "doubles", "longs", "strings", "blobs", "wrapped_string", "wrapped_long", "wrapped_bool"),
    *("wrapped_bytes", "wrapped_ulong", "wrapped_double"),
]
GENRES = st.sampled_from([0, 1, 2])  # only defined values are read
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        **{name: FIELDS[name] for name in NAMES},
        "genre": GENRES,
        "genres": st.lists(GENRES, max_size=3),
        "labels": st.dictionaries(TEXT.filter(lambda key: "\n" not in key), TEXT, max_size=3),
        "counters": st.dictionaries(INT32, INT64, max_size=3),
    },
)


def written(message: Message, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The parameters that say what a message holds."""
    for field, value in message.ListFields():
        name = prefix + field.json_name
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            yield from ((f"{name}[{key}]", str(item)) for key, item in value.items())
        elif field.message_type is not None and field.message_type.full_name.endswith("Value"):
            yield name, _text(field.message_type.fields_by_name["value"], value.value)
        elif field.message_type is not None:
            yield from written(value, f"{name}.")
        elif field.is_repeated:
            yield from ((name, _text(field, item)) for item in value)
        else:
            yield name, _text(field, value)


def _text(field: FieldDescriptor, value: Any) -> str:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b64encode(value).decode()
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("strict", [True, False])
@given(outer=MESSAGES, inner=MESSAGES)
def test_a_message_written_as_a_query_reads_back(strict: bool, outer: dict[str, Any], inner: dict[str, Any]) -> None:
    message = make("Everything", **outer)
    child = make("Everything", **inner)
    if child.ListFields():
        message.child.CopyFrom(child)
    query = "&".join(f"{quote_plus(key)}={quote_plus(text)}" for key, text in written(message))
    read = make("Everything")
    QueryReader(descriptor("Everything"), excluded=[], populator=POPULATOR, strict=strict).read(query.encode(), read)

    assert read == message
