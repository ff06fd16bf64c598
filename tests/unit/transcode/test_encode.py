"""Messages as JSON: the shape that clients rely on."""

import json
from typing import Any

import pytest
from google.protobuf import any_pb2, duration_pb2, struct_pb2, timestamp_pb2, wrappers_pb2
from google.rpc import error_details_pb2, status_pb2

from gateway.transcode.codec.encode import Encoder, EncoderSet
from gateway.transcode.codec.types import Types
from tests.unit.transcode.contract import descriptor, library, make, types

CODEC = EncoderSet(types())


def encoded(message: Any) -> Any:
    """The message's JSON, by way of its text."""
    return json.loads(Encoder(message.DESCRIPTOR, codec=CODEC).to_json(message))


def shown(**fields: Any) -> Any:
    """The JSON of the one field that an Everything is given."""
    (name,) = fields
    return encoded(make("Everything", **fields))[descriptor("Everything").fields_by_name[name].json_name]


def test_an_empty_message_shows_zeros_empties_and_nulls() -> None:
    assert encoded(make("Book")) == {
        "bookId": "",
        "title": "",
        "author": None,
        "loans": "0",
        "genre": "GENRE_UNSPECIFIED",
        "added": None,
        "labels": {},
        "mask": [],
    }


def test_optional_and_oneof_fields_show_only_when_set() -> None:
    unset = encoded(make("Everything"))
    given = encoded(make("Everything", maybe_number=0, choice_number=0))

    assert not {"maybeNumber", "maybeText", "choiceText", "choiceNumber", "choiceChapter"} & set(unset)
    assert (given["maybeNumber"], given["choiceNumber"]) == (0, "0")


@pytest.mark.parametrize(
    ("field", "value", "json_value"),
    [
        ("int32_value", -7, -7),
        ("int64_value", -(2**63), "-9223372036854775808"),
        ("uint64_value", 2**64 - 1, "18446744073709551615"),
        ("fixed64_value", 5, "5"),
        ("sfixed64_value", -5, "-5"),
        ("sint64_value", 5, "5"),
        ("longs", [1, -2], ["1", "-2"]),
        ("bool_value", True, True),
        ("bytes_value", b"\xff\xfe", "//4="),
        ("blobs", [b"", b"a"], ["", "YQ=="]),
        ("genre", 2, "GENRE_FACTS"),
        ("genre", 77, 77),
        ("genres", [1, 9], ["GENRE_FICTION", 9]),
        ("double_value", 1.5, 1.5),
        ("double_value", float("nan"), "NaN"),
        ("double_value", float("inf"), "Infinity"),
        ("float_value", float("-inf"), "-Infinity"),
        ("doubles", [0.0, float("nan")], [0, "NaN"]),
        ("labels", {"a": "b"}, {"a": "b"}),
        ("counters", {-1: 2}, {"-1": "2"}),
        ("chapters_by_flag", {True: {"number": 1}}, {"true": {"number": 1, "title": ""}}),
        ("genres_by_name", {"x": 1}, {"x": "GENRE_FICTION"}),
        ("renamed", "x", "x"),
        ("choice_chapter", {}, {"number": 0, "title": ""}),
        ("empty", {}, {}),
        ("null_value", 0, None),
        ("wrapped_long", {"value": 3}, "3"),
        ("wrapped_bool", {}, False),
        ("wrapped_string", {}, ""),
        ("wrapped_bytes", {"value": b"a"}, "YQ=="),
        ("wrapped_double", {"value": float("inf")}, "Infinity"),
        ("wrapped_float", {"value": 0.1}, 0.1),
        ("timestamp", {}, "1970-01-01T00:00:00Z"),
        ("timestamp", {"seconds": -62135596800}, "0001-01-01T00:00:00Z"),
        ("timestamp", {"seconds": 253402300799, "nanos": 999999999}, "9999-12-31T23:59:59.999999999Z"),
        ("timestamp", {"seconds": 1, "nanos": 20_000_000}, "1970-01-01T00:00:01.020Z"),
        ("timestamp", {"seconds": -1, "nanos": 500_000}, "1969-12-31T23:59:59.000500Z"),
        ("duration", {"seconds": 3}, "3s"),
        ("duration", {"seconds": -1, "nanos": -500_000_000}, "-1.500s"),
        ("duration", {"nanos": -1}, "-0.000000001s"),
        ("duration", {"seconds": 315_576_000_000}, "315576000000s"),
        ("mask", {"paths": ["display_name", "owner.given_name"]}, "displayName,owner.givenName"),
        ("mask", {}, ""),
    ],
)
def test_a_field_is_shown(field: str, value: Any, json_value: Any) -> None:
    assert shown(**{field: value}) == json_value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0.0"),
        (3.0, "3"),
        (-(2.0**52), "-4503599627370496"),
        (1e21, "1e+21"),
        (0.1, "0.1"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
    ],
)
def test_a_double_is_spelt_in_its_shortest_form(value: float, text: str) -> None:
    line = Encoder(descriptor("Everything"), codec=CODEC).to_json(make("Everything", double_value=value))

    assert f'"doubleValue":{text},' in line.decode()


@pytest.mark.parametrize("value", [0.1, 3.4028235e38, 1.17549435e-38, 16777216.0, 1e-45, 123.456])
def test_a_float_is_spelt_with_the_digits_of_a_float(value: float) -> None:
    message = make("Everything", float_value=value)
    digits = repr(shown(float_value=value)).replace(".", "").split("e")[0].lstrip("0")

    assert make("Everything", float_value=shown(float_value=value)) == message
    assert len(digits) <= 9


def test_text_is_utf8_and_not_escaped() -> None:
    line = Encoder(descriptor("Book"), codec=CODEC).to_json(make("Book", title='가 "é" <b>\n'))

    assert '"title":"가 \\"é\\" <b>\\n"' in line.decode()


def test_structures_are_plain_json() -> None:
    structure = struct_pb2.Struct()
    structure.update({"a": None, "b": [1, "x", {"c": True}], "d": 1.5})

    assert encoded(structure) == {"a": None, "b": [1, "x", {"c": True}], "d": 1.5}


def test_an_any_is_expanded_beside_its_type() -> None:
    packed = any_pb2.Any()
    packed.Pack(make("Chapter", number=3))

    assert encoded(packed) == {"@type": "type.googleapis.com/library.v1.Chapter", "number": 3, "title": ""}


def test_an_any_of_a_well_known_type_stands_under_value() -> None:
    packed = any_pb2.Any()
    packed.Pack(duration_pb2.Duration(seconds=2))

    assert encoded(packed) == {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "2s"}


def test_details_of_errors_are_known_without_the_contract() -> None:
    status = status_pb2.Status(code=3, message="no")
    status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=1)))

    assert encoded(status)["details"] == [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (timestamp_pb2.Timestamp(seconds=253402300800), "years 1 to 9999"),
        (timestamp_pb2.Timestamp(nanos=-1), "years 1 to 9999"),
        (duration_pb2.Duration(seconds=1, nanos=-1), "two signs"),
        (duration_pb2.Duration(seconds=315_576_000_001), "out of range"),
        (struct_pb2.Value(), "holds nothing"),
        (struct_pb2.Value(number_value=float("nan")), "NaN has no form"),
        (any_pb2.Any(type_url="x.io/no.such.Type"), "no.such.Type"),
        (any_pb2.Any(type_url="x.io/library.v1.Chapter", value=b"\xff"), "library.v1.Chapter"),
    ],
)
def test_what_json_cannot_say_is_an_error(message: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        encoded(message)


def test_messages_of_another_pool_are_encoded_too() -> None:
    foreign = Types(library())
    book = foreign.find("library.v1.Book")
    assert book is not None
    message: Any = foreign.message_class(book)(title="Emma", author={"address": {"city": "Bath"}}, price_cents=5)
    own = make("Book", title="Emma", author={"address": {"city": "Bath"}}, price_cents=5)
    encoder = Encoder(descriptor("Book"), codec=CODEC)

    assert encoder.to_object(message) == encoder.to_object(own)


def test_without_a_codec_the_default_pool_is_known() -> None:
    assert encoded(wrappers_pb2.Int64Value(value=4)) == "4"
    assert Encoder(status_pb2.Status.DESCRIPTOR).to_object(status_pb2.Status(code=5)) == {
        "code": 5,
        "message": "",
        "details": [],
    }
