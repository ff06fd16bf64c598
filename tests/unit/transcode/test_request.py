"""Requests put together from body, path and query."""

from typing import Any
from urllib.parse import quote

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from gateway.transcode import DEFAULT, Json, Options
from gateway.transcode.errors import RefusedError
from gateway.transcode.marshal.codecs import JsonCodec
from gateway.transcode.request.assemble import RequestReader
from gateway.transcode.routing.table import read_bindings
from tests.unit.transcode import contract
from tests.unit.transcode.contract import make

READERS = {
    f"{binding.http_method} {binding.template.text}": RequestReader(
        binding,
        types=contract.types(),
        codec=JsonCodec(contract.types(), Json()),
        profile=DEFAULT,
        options=Options(),
    )
    for binding in read_bindings(contract.library(), contract.types(), {"library.v1.Library"})
}


def read(route: str, *values: str, query: str = "", body: str | bytes = b"", content_type: str = "") -> Any:
    """The message that one request becomes."""
    raw = body.encode() if isinstance(body, str) else body
    return READERS[route].read(body=raw, content_type=content_type, values=values, query=query.encode())


def queried(query: str) -> Message:
    """The Everything that a query describes."""
    message: Message = read("GET /v1/echo", query=query)
    return message


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("", {}),
        ("&&", {}),
        ("doubleValue=1.5&float_value=-2e3", {"double_value": 1.5, "float_value": -2000.0}),
        ("doubleValue=0x1p-2&floatValue=Inf", {"double_value": 0.25, "float_value": float("inf")}),
        ("int32Value=-7&int64Value=%2B8&uint32Value=007", {"int32_value": -7, "int64_value": 8, "uint32_value": 7}),
        ("boolValue=T&stringValue=", {"bool_value": True}),
        ("stringValue=a+b%2Bc%EA%B0%80", {"string_value": "a b+c가"}),
        ("stringValue", {"string_value": ""}),
        ("stringValue=a=b", {"string_value": "a=b"}),
        ("bytesValue=-_8%3D", {"bytes_value": b"\xfb\xff"}),
        ("genre=GENRE_FACTS&genres=1&genres=GENRE_UNSPECIFIED", {"genre": 2, "genres": [1, 0]}),
        ("strings=a&strings=b,c&strings=", {"strings": ["a", "b,c", ""]}),
        ("longs=1&longs=2", {"longs": [1, 2]}),
        (
            "child.child.stringValue=x&child.bool_value=1",
            {"child": {"child": {"string_value": "x"}, "bool_value": True}},
        ),
        ("labels[a]=1&labels[b.c]=2&labels[]=3", {"labels": {"a": "1", "b.c": "2", "": "3"}}),
        ("labels%5Ba%5D=1", {"labels": {"a": "1"}}),
        ("counters[5]=6", {"counters": {5: 6}}),
        ("times[x]=1970-01-01T00:00:09Z", {"times": {"x": {"seconds": 9}}}),
        ("timestamp=1970-01-01T00:00:01.5Z", {"timestamp": {"seconds": 1, "nanos": 500_000_000}}),
        (
            "timestamps=1970-01-01T00:00:01Z&timestamps=1970-01-01T00:00:02Z",
            {"timestamps": [{"seconds": 1}, {"seconds": 2}]},
        ),
        ("duration=1h2m3.5s", {"duration": {"seconds": 3723, "nanos": 500_000_000}}),
        ("duration=-250ms", {"duration": {"nanos": -250_000_000}}),
        ("mask=a.b_c,d", {"mask": {"paths": ["a.b_c", "d"]}}),
        ("structure={%22a%22:1}", {"structure": {"a": 1}}),
        ("value=[true]", {"value": {"list_value": {"values": [{"bool_value": True}]}}}),
        ("wrappedLong=5&wrappedString=", {"wrapped_long": {"value": 5}, "wrapped_string": {"value": ""}}),
        ("choiceText=a", {"choice_text": "a"}),
        ("maybeNumber=0", {"maybe_number": 0}),
        ("anotherName=x", {"renamed": "x"}),
    ],
)
def test_a_query_fills_fields(query: str, fields: dict[str, Any]) -> None:
    assert queried(query) == make("Everything", **fields)


@pytest.mark.parametrize(
    ("query", "field", "reason"),
    [
        ("doubelValue=1", "doubelValue", "did you mean 'doubleValue'"),
        ("int64_valeu=1", "int64_valeu", "did you mean 'int64_value'"),
        ("child.strinValue=1", "child.strinValue", "did you mean 'child.stringValue'"),
        ("zzz=1", "zzz", "is no parameter of this request"),
        ("strings[]=1", "strings[]", "is no parameter of this request"),
        ("=1", "", "is no parameter"),
        ("int32Value=1&int32_value=2", "int32_value", "too many values"),
        ("int32Value=5.0", "int32Value", "whole number"),
        ("int32Value=", "int32Value", "whole number"),
        ("int32Value=1_000", "int32Value", "whole number"),
        ("int32Value=0x10", "int32Value", "whole number"),
        ("int32Value=２", "int32Value", "whole number"),
        ("int32Value=2147483648", "int32Value", "between"),
        ("uint32Value=-1", "uint32Value", "between 0"),
        ("boolValue=", "boolValue", "true or false"),
        ("boolValue=yes", "boolValue", "true or false"),
        ("doubleValue=1e999", "doubleValue", "too large"),
        ("doubleValue=0x1p99999", "doubleValue", "too large"),
        ("doubleValue=%20 1", "doubleValue", "must be a number"),
        ("floatValue=1e39", "floatValue", "too large"),
        ("bytesValue=YQ", "bytesValue", "padding"),
        ("genre=genre_facts", "genre", "must be one of GENRE_UNSPECIFIED"),
        ("genre=9", "genre", "must be one of"),
        ("child=1", "child", "name a field in it"),
        ("any=1", "any", "no form as text"),
        ("list=[]", "list", "no form as text"),
        ("labels=1", "labels", "name[key]=value"),
        ("labels[a]=1&labels[a]=2", "labels[a]", "given twice"),
        ("counters[x]=1", "counters[x]", "the key must be a whole number"),
        ("chapters.number=1", "chapters.number", "'chapters' is not a message"),
        ("int32Value.x=1", "int32Value.x", "'int32_value' is not a message"),
        ("choiceText=a&choiceNumber=1", "choiceNumber", "only one of 'choice'"),
        ("choiceText=a&choiceChapter.number=1", "choiceChapter.number", "only one of 'choice'"),
        ("timestamp=null", "timestamp", "RFC 3339"),
        ("timestamp=1700000000", "timestamp", "RFC 3339"),
        ("timestamp=0000-01-01T00:00:00Z", "timestamp", "year"),
        ("duration=5", "duration", "units"),
        ("duration=99999999999h", "duration", "292 years"),
        ("structure=[]", "structure", "must be an object"),
        ("structure={", "structure", "no JSON"),
        ("stringValue=%zz", "query", "broken percent escape"),
        ("stringValue=%FF", "query", "not UTF-8"),
        ("stringValue=a;b=c", "query", "%3B"),
        ("child." * 100 + "boolValue=1", "child." * 100 + "boolValue", "nested deeper"),
    ],
)
def test_a_query_that_does_not_fit_is_a_400_that_names_the_key(query: str, field: str, reason: str) -> None:
    with pytest.raises(RefusedError) as caught:
        queried(query)
    details: Any = caught.value.details[0]

    assert caught.value.status == 400
    assert reason in caught.value.message
    assert [violation.field for violation in details.field_violations] == [field]


@pytest.mark.parametrize(
    ("route", "text", "fields"),
    [
        ("GET /v1/echo/int/{int64_value}", "-5", {"int64_value": -5}),
        ("GET /v1/echo/nested/{child.int32_value}", "7", {"child": {"int32_value": 7}}),
        ("GET /v1/echo/time/{timestamp}", "1970-01-01T00:00:01Z", {"timestamp": {"seconds": 1}}),
        ("GET /v1/echo/time/{timestamp}", '"1970-01-01T00:00:01Z"', {"timestamp": {"seconds": 1}}),
        ("GET /v1/echo/strings/{strings}", "a,b,c", {"strings": ["a", "b", "c"]}),
        ("GET /v1/echo/path/{string_value=**}", "a/b", {"string_value": "a/b"}),
    ],
)
def test_a_path_variable_fills_its_field(route: str, text: str, fields: dict[str, Any]) -> None:
    assert read(route, text) == make("Everything", **fields)


@pytest.mark.parametrize(
    ("route", "text", "name"),
    [
        ("GET /v1/echo/int/{int64_value}", "abc", "int64_value"),
        ("GET /v1/echo/int/{int64_value}", "0x10", "int64_value"),
        ("GET /v1/echo/int/{int64_value}", "9223372036854775808", "int64_value"),
        ("GET /v1/echo/nested/{child.int32_value}", "x", "child.int32_value"),
        ("GET /v1/echo/time/{timestamp}", "true", "timestamp"),
        ("GET /v1/echo/time/{timestamp}", '"1970', "timestamp"),
    ],
)
def test_a_path_variable_of_another_type_is_a_400(route: str, text: str, name: str) -> None:
    with pytest.raises(RefusedError, match=f"type mismatch, parameter: {name}") as caught:
        read(route, text)

    assert (caught.value.status, caught.value.code) == (400, 3)


def test_the_path_overwrites_the_body_and_the_query_adds_to_both() -> None:
    message = read(
        "PUT /v1/echo/child/{child.string_value}",
        "path",
        query="stringValue=query&child.stringValue=ignored&child.int32Value=9",
        body='{"stringValue":"body","int32Value":1}',
    )

    assert message == make("Everything", child={"string_value": "path", "int32_value": 1}, string_value="query")


def test_a_repeated_path_variable_replaces_what_was_there() -> None:
    assert read("GET /v1/echo/strings/{strings}", "a", query="strings=b") == make("Everything", strings=["a"])


def test_a_list_may_be_the_body() -> None:
    assert read("PUT /v1/echo/strings", body='["a","b"]') == make("Everything", strings=["a", "b"])


@pytest.mark.parametrize("body", ["", " \n"])
def test_an_empty_body_is_an_empty_message(body: str) -> None:
    assert read("POST /v1/echo", body=body) == make("Everything")
    assert read("POST /v1/books", body=body) == make("CreateBookRequest")


@pytest.mark.parametrize(
    ("route", "body", "field"),
    [
        ("POST /v1/echo", "null", ""),
        ("POST /v1/echo", '{"child":{"int32Value":"x"}}', "child.int32Value"),
        ("POST /v1/books", "null", "book"),
        ("POST /v1/books", "[]", "book"),
        ("POST /v1/books", '{"loans":true}', "loans"),
        ("PUT /v1/echo/strings", '["a",1]', "[1]"),
    ],
)
def test_a_body_that_does_not_fit_is_a_400_that_names_the_field(route: str, body: str, field: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read(route, body=body)
    details: Any = caught.value.details[0]

    assert caught.value.status == 400
    assert details.field_violations[0].field == field


def test_a_query_beside_a_whole_body_is_not_read() -> None:
    assert read("POST /v1/echo", query="nonsense=1", body='{"boolValue":true}') == make("Everything", bool_value=True)


def test_a_raw_body_is_kept_with_its_content_type() -> None:
    message = read("PUT /v1/books/{book_id}/cover", "7", body=b"\x89PNG", content_type="image/png")

    assert (message.book_id, message.cover.data, message.cover.content_type) == ("7", b"\x89PNG", "image/png")


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ("", []),
        ("{}", []),
        ('{"title":"x","loans":"1"}', ["loans", "title"]),
        (
            '{"author":{"address":{"city":"x","postal_code":"y"}}}',
            ["author.address.city", "author.address.postal_code"],
        ),
        ('{"author":{}}', ["author"]),
        ('{"author":null,"title":null}', ["author", "title"]),
        ('{"labels":{"a":"b"},"mask":["x"]}', ["labels", "mask"]),
        ('{"added":"1970-01-01T00:00:00Z","priceCents":5}', ["added", "price_cents"]),
    ],
)
def test_a_patch_derives_its_mask(body: str, paths: list[str]) -> None:
    assert list(read("PATCH /v1/books/{book.book_id}", "7", body=body).update_mask.paths) == paths


def test_a_patch_refuses_a_field_that_does_not_exist() -> None:
    with pytest.raises(RefusedError, match=r"author\.nickName: is no field of Author"):
        read("PATCH /v1/books/{book.book_id}", "7", body='{"author":{"nickName":"x"}}')


def test_a_mask_in_the_query_replaces_the_derived_one() -> None:
    message = read("PATCH /v1/books/{book.book_id}", "7", body='{"title":"x"}', query="update_mask=loans,title")

    assert list(message.update_mask.paths) == ["loans", "title"]


KEYS = st.sampled_from([field.json_name for field in contract.descriptor("Everything").fields])


@given(st.lists(st.tuples(KEYS | st.text(max_size=8), st.sampled_from(["", "[a]", ".x", "[]"]), st.text(max_size=8))))
def test_no_query_breaks_the_reader(parts: list[tuple[str, str, str]]) -> None:
    query = "&".join(
        f"{quote(key, errors='replace')}{tail}={quote(value, errors='replace')}" for key, tail, value in parts
    )
    try:
        queried(query).SerializeToString()
    except RefusedError as refusal:
        status = refusal.status
    else:
        status = 200

    assert status in (200, 400)


@given(st.sampled_from([route for route in READERS if route.startswith("GET /v1/echo/")]), st.text())
def test_no_path_value_breaks_the_reader(route: str, text: str) -> None:
    try:
        read(route, text)
    except (RefusedError, UnicodeEncodeError):  # the router gives no half surrogates
        return
