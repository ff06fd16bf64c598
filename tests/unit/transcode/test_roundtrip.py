"""Random messages: what is encoded reads back as the same message, and as protobuf's own JSON code sees it."""

import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from gateway.transcode.codec.decode import Decoder, DecoderSet
from gateway.transcode.codec.encode import Encoder, EncoderSet
from gateway.transcode.codec.fault import JsonError
from gateway.transcode.codec.text import parse_json
from tests.unit.transcode.contract import descriptor, make, types

EVERYTHING = descriptor("Everything")
ENCODER = Encoder(EVERYTHING, codec=EncoderSet(types()))
DECODER = Decoder(EVERYTHING, codec=DecoderSet(types()))

INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
UINT32 = st.integers(0, 2**32 - 1)
UINT64 = st.integers(0, 2**64 - 1)
DOUBLE = st.floats(allow_nan=False)
FLOAT = st.floats(width=32, allow_nan=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
BYTES = st.binary(max_size=8)
GENRE = st.integers(-3, 5)
NANOS = st.integers(0, 999_999_999)
CHAPTER = st.fixed_dictionaries({}, optional={"number": INT32, "title": TEXT})
TIMESTAMP = st.fixed_dictionaries({"seconds": st.integers(-62135596800, 253402300799), "nanos": NANOS})
DURATION = st.tuples(st.integers(0, 315_575_999_999), NANOS, st.sampled_from([1, -1])).map(
    lambda parts: {"seconds": parts[0] * parts[2], "nanos": parts[1] * parts[2]}
)
MASK = st.lists(st.from_regex(r"\A[a-z]{1,4}(_[a-z]{1,3})?(\.[a-z]{1,4})?\Z"), min_size=1, max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | TEXT | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "double_value": DOUBLE,
    "float_value": FLOAT,
    "int32_value": INT32,
    "int64_value": INT64,
    "uint32_value": UINT32,
    "uint64_value": UINT64,
    "sint32_value": INT32,
    "sint64_value": INT64,
    "fixed32_value": UINT32,
    "fixed64_value": UINT64,
    "sfixed32_value": INT32,
    "sfixed64_value": INT64,
    "bool_value": st.booleans(),
    "string_value": TEXT,
    "bytes_value": BYTES,
    "genre": GENRE,
    "doubles": st.lists(DOUBLE, max_size=3),
    "floats": st.lists(FLOAT, max_size=3),
    "longs": st.lists(INT64, max_size=3),
    "strings": st.lists(TEXT, max_size=3),
    "genres": st.lists(GENRE, max_size=3),
    "chapters": st.lists(CHAPTER, max_size=3),
    "blobs": st.lists(BYTES, max_size=3),
    "labels": st.dictionaries(TEXT, TEXT, max_size=3),
    "counters": st.dictionaries(INT32, INT64, max_size=3),
    "chapters_by_flag": st.dictionaries(st.booleans(), CHAPTER, max_size=2),
    "genres_by_name": st.dictionaries(TEXT, GENRE, max_size=3),
    "maybe_number": INT32,
    "maybe_text": TEXT,
    "timestamp": TIMESTAMP,
    "timestamps": st.lists(TIMESTAMP, max_size=2),
    "times": st.dictionaries(TEXT, TIMESTAMP, max_size=2),
    "duration": DURATION,
    "mask": MASK.map(lambda paths: {"paths": paths}),
    "structure": st.dictionaries(TEXT, JSON, max_size=3),
    "list": st.lists(JSON, max_size=3),
    "empty": st.just({}),
    "wrapped_double": DOUBLE.map(lambda value: {"value": value}),
    "wrapped_float": FLOAT.map(lambda value: {"value": value}),
    "wrapped_long": INT64.map(lambda value: {"value": value}),
    "wrapped_ulong": UINT64.map(lambda value: {"value": value}),
    "wrapped_int": INT32.map(lambda value: {"value": value}),
    "wrapped_uint": UINT32.map(lambda value: {"value": value}),
    "wrapped_bool": st.booleans().map(lambda value: {"value": value}),
    "wrapped_string": TEXT.map(lambda value: {"value": value}),
    "wrapped_bytes": BYTES.map(lambda value: {"value": value}),
    "renamed": TEXT,
}
CHOICE: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    TEXT.map(lambda value: {"choice_text": value}),
    INT64.map(lambda value: {"choice_number": value}),
    CHAPTER.map(lambda value: {"choice_chapter": value}),
)


@st.composite
def everything(draw: st.DrawFn) -> Any:
    """A random Everything, perhaps with one inside. Its Value fields stay unset: their null reads back as a value."""
    names = draw(st.lists(st.sampled_from(sorted(FIELDS)), unique=True, max_size=10))
    message = make("Everything", **{name: draw(FIELDS[name]) for name in names}, **draw(CHOICE))
    if draw(st.booleans()):
        message.any.Pack(make("Chapter", number=draw(INT32)))
    if draw(st.booleans()):
        message = make("Everything", child=message)
    return message


@given(everything())
def test_a_message_reads_back_as_itself(message: Message) -> None:
    written = ENCODER.to_json(message)
    shown = parse_json(written)
    for level in (shown, shown["child"] or {}):
        level.pop("value", None)  # a Value that is unset is shown as null, which reads as a null that is set

    assert DECODER.from_object(shown) == message


@given(everything())
def test_the_encoder_agrees_with_protobufs_own_json(message: Any) -> None:
    theirs = json.loads(
        json_format.MessageToJson(message, always_print_fields_with_no_presence=True, descriptor_pool=types().pool)
    )

    assert _without_nulls(ENCODER.to_object(message)) == _without_nulls(theirs)


@given(everything())
def test_the_decoder_agrees_with_protobufs_own_json(message: Any) -> None:
    written = json_format.MessageToJson(message, descriptor_pool=types().pool)

    assert DECODER.from_object(parse_json(written.encode())) == message


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([field.json_name for field in EVERYTHING.fields]) | TEXT, inner, max_size=4)
    ),
    max_leaves=8,
)


@given(SHAPES)
def test_no_json_value_breaks_the_decoder(value: Any) -> None:
    try:
        DECODER.from_object(value)
    except JsonError:
        return


@given(st.binary(max_size=40) | SHAPES.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    try:
        DECODER.from_object(parse_json(body))
    except JsonError:
        return


def _without_nulls(value: Any) -> Any:
    """JSON without members that are null: protobuf's own code leaves unset messages out."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
