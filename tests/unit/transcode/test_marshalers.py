"""Which marshaler serves a request, and what each writes and reads."""

import json
from typing import Any

import pytest

from gateway.transcode import Binary, Json
from gateway.transcode.codec.fault import JsonError
from gateway.transcode.marshal.codecs import BinaryCodec, JsonCodec
from gateway.transcode.marshal.registry import Registry
from tests.unit.transcode.contract import descriptor, make, types

EVERYTHING = descriptor("Everything")


@pytest.mark.parametrize(
    ("registered", "content_type", "accept", "inbound", "outbound"),
    [
        (["*"], "application/x-in", "application/x-out", "*", "*"),
        (["*", "application/x-in"], "application/x-in", "application/x-out", "application/x-in", "application/x-in"),
        (["*", "a/in", "a/out"], "a/in", "a/out", "a/in", "a/out"),
        (["*", "a/in", "a/out"], "a/in; charset=UTF-8", "a/out", "a/in", "a/out"),
        (["*", "a/in", "a/out"], "A/In ;q=1", "a/out", "a/in", "a/out"),
        (["*", "a/in", "a/out"], "a/other", "a/other", "*", "*"),
        (["*", "a/in", "a/out"], "a/in", "a/out, a/b;q=0.5", "a/in", "a/in"),
        (["*", "a/in", "a/out"], "a/in", "a/out;q=1", "a/in", "a/in"),
        (["*", "a/in", "a/out"], "a/in", "A/Out", "a/in", "a/in"),
        (["*", "a/out"], "", "a/out", "*", "a/out"),
    ],
)
def test_names_are_compared_as_they_are(
    registered: list[str], content_type: str, accept: str, inbound: str, outbound: str
) -> None:
    registry = Registry(types(), {name: Json(content_type=f"the one of {name}") for name in registered})
    headers = [(b"content-type", content_type.encode()), (b"accept", accept.encode())]
    scope = {"headers": [header for header in headers if header[1]]}

    assert registry.inbound(scope).content_type == f"the one of {inbound}"
    assert registry.outbound(scope).content_type == f"the one of {outbound}"


def test_of_several_headers_the_first_that_is_known_counts() -> None:
    registry = Registry(types(), {"*": Json(content_type="any"), "a/b": Json(content_type="known")})
    scope = {
        "headers": [(b"accept", b"x/y"), (b"accept", b"a/b"), (b"content-type", b"x/y"), (b"content-type", b"a/b")]
    }

    assert (registry.inbound(scope).content_type, registry.outbound(scope).content_type) == ("known", "known")


def test_some_marshaler_must_serve_the_rest() -> None:
    with pytest.raises(ValueError, match=r"lacks '\*'"):
        Registry(types(), {"application/json": Json()})


def answered(field: str, value: Any, **style: Any) -> Any:
    """What an answer shows that is this one field."""
    codec = JsonCodec(types(), Json(**style))
    return json.loads(codec.answer(EVERYTHING, field)(make("Everything", **{field: value})))


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("int32_value", 1, 1),
        ("int64_value", 1, 1),
        ("uint64_value", 2**64 - 1, 2**64 - 1),
        ("longs", [1, -2], [1, -2]),
        ("counters", {5: 6}, {"5": 6}),
        ("string_value", "abc", "abc"),
        ("bytes_value", b"abc", "YWJj"),
        ("bytes_value", b"", ""),
        ("float_value", 1.5, 1.5),
        ("double_value", 1.5, 1.5),
        ("bool_value", True, True),
        ("genre", 1, "GENRE_FICTION"),
        ("genres", [1, 9], ["GENRE_FICTION", 9]),
        ("labels", {"foo": "1"}, {"foo": "1"}),
        ("chapters_by_flag", {True: {"number": 1}}, {"true": {"number": 1, "title": ""}}),
        ("duration", {"seconds": 123, "nanos": 456_000_000}, "123.456s"),
        ("timestamp", {"seconds": 1462875553, "nanos": 123_000_000}, "2016-05-10T10:19:13.123Z"),
        ("empty", {}, {}),
        ("value", {"null_value": 0}, None),
        ("value", {"number_value": 123.4}, 123.4),
        ("structure", {"foo_bar": True}, {"foo_bar": True}),
        ("wrapped_bool", {"value": True}, True),
        ("wrapped_float", {"value": 123.456}, 123.456),
        ("wrapped_int", {"value": -123}, -123),
        ("wrapped_long", {"value": -123}, "-123"),
        ("wrapped_ulong", {"value": 123}, "123"),
        ("maybe_number", 1, 1),
        ("maybe_text", None, None),
        ("strings", [], []),
        ("labels", {}, {}),
    ],
)
def test_a_field_that_is_the_whole_answer_is_as_gos_json_has_it(field: str, value: Any, shown: Any) -> None:
    assert answered(field, value) == shown


@pytest.mark.parametrize(("field", "value"), [("double_value", float("nan")), ("floats", [float("inf")])])
def test_a_number_that_json_lacks_cannot_be_a_whole_answer(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match="no form as JSON number"):
        answered(field, value)


def test_a_field_inside_of_another_may_be_the_answer() -> None:
    write = JsonCodec(types(), Json()).answer(EVERYTHING, "child.string_value")

    assert write(make("Everything", child={"string_value": "x"})) == b'"x"'


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ({"emit_unpopulated": False}, '{"genre":"GENRE_FICTION","wrappedLong":"5"}'),
        ({"emit_unpopulated": False, "use_proto_names": True}, '{"genre":"GENRE_FICTION","wrapped_long":"5"}'),
        ({"emit_unpopulated": False, "use_enum_numbers": True}, '{"genre":1,"wrappedLong":"5"}'),
        ({"emit_unpopulated": False, "indent": "  "}, '{\n  "genre": "GENRE_FICTION",\n  "wrappedLong": "5"\n}'),
    ],
)
def test_json_is_written_in_the_style_asked_for(style: dict[str, Any], text: str) -> None:
    codec = JsonCodec(types(), Json(**style))

    assert codec.answer(EVERYTHING, "")(make("Everything", genre=1, wrapped_long={"value": 5})).decode() == text


def test_unknown_fields_may_be_refused() -> None:
    read = JsonCodec(types(), Json(discard_unknown=False)).whole(EVERYTHING)
    message = make("Everything")
    read(message, b'{"child":{"boolValue":true}}')

    assert message.child.bool_value
    with pytest.raises(JsonError, match="is no field of Everything") as caught:
        read(message, b'{"child":{"boolValeu":true}}')
    assert caught.value.field == "child.boolValeu"


def test_the_binary_form() -> None:
    codec = BinaryCodec(Binary())
    message, read = make("Everything", child={"int32_value": 7}), make("Everything")
    child = EVERYTHING.fields_by_name["child"]
    codec.whole(EVERYTHING)(read, codec.answer(EVERYTHING, "")(message))
    inner = make("Everything")
    codec.field(child, depth=0)(inner, codec.answer(EVERYTHING, "child")(message))

    assert (read, inner) == (message, message)
    for broken in (b"\xff", b"\x08"):
        with pytest.raises(JsonError, match="binary form"):
            codec.whole(EVERYTHING)(make("Everything"), broken)
    with pytest.raises(ValueError, match="no binary form"):
        codec.line(EVERYTHING, "")(message)
    with pytest.raises(ValueError, match="no binary form"):
        codec.answer(EVERYTHING, "strings")(message)
    with pytest.raises(JsonError, match="no binary form"):
        codec.field(EVERYTHING.fields_by_name["strings"], depth=0)(message, b"")


@pytest.mark.parametrize(
    ("field", "body", "value"),
    [
        ("int64_value", b"1", 1),
        ("int64_value", b'"1"', 1),
        ("string_value", b'"abc"', "abc"),
        ("bytes_value", b'"YWJj"', b"abc"),
        ("float_value", b"1.5", 1.5),
        ("bool_value", b"true", True),
        ("maybe_text", b"null", None),
        ("int32_value", b"null", None),
        ("strings", b"null", None),
        ("labels", b"null", None),
        ("strings", b'["a"]', ["a"]),
        ("labels", b'{"foo":"1"}', {"foo": "1"}),
        ("chapters_by_flag", b'{"true":{"number":1}}', {True: {"number": 1}}),
        ("duration", b'"123.456s"', {"seconds": 123, "nanos": 456_000_000}),
        ("wrapped_long", b'"-123"', {"value": -123}),
        ("value", b"null", {"null_value": 0}),
        ("empty", b"{}", {}),
        ("strings", b" ", None),
    ],
)
def test_a_field_may_be_the_whole_body(field: str, body: bytes, value: Any) -> None:
    message = make("Everything")
    JsonCodec(types(), Json()).field(EVERYTHING.fields_by_name[field], depth=0)(message, body)

    assert message == make("Everything", **({} if value is None else {field: value}))


@pytest.mark.parametrize("field", ["child", "duration", "wrapped_long", "genre", "empty", "any"])
def test_a_message_or_enum_as_body_is_not_null(field: str) -> None:
    with pytest.raises(JsonError, match="null"):
        JsonCodec(types(), Json()).field(EVERYTHING.fields_by_name[field], depth=0)(make("Everything"), b"null")
