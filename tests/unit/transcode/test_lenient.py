"""Path variables and queries as grpc-gateway reads them, where unknown keys are no fault."""

from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.transcode import GRPC_GATEWAY_V2, Types
from gateway.transcode.codec.decode import DecoderSet
from gateway.transcode.errors import RefusedError
from gateway.transcode.profile import DEFAULT, Profile
from gateway.transcode.request.populate import Populator
from gateway.transcode.request.query import QueryReader
from gateway.transcode.request.variables import PathVariable
from gateway.transcode.routing.fields import resolve
from tests.unit.transcode.contract import compile_text, descriptor, make, types

CODEC = DecoderSet(types())


def queried(query: str, *excluded: str) -> Any:
    """The Everything that a query describes, beside what path and body fill."""
    message = make("Everything")
    reader = QueryReader(
        descriptor("Everything"),
        excluded=[tuple(path.split(".")) for path in excluded],
        populator=Populator(CODEC),
        strict=False,
    )
    reader.read(query.encode(), message)
    return message


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("nonsense=1&child.nonsense.x=1", {"child": {}}),
        ("child.child.nonsense=1", {"child": {"child": {}}}),
        ("nonsense[a]=1&[a]=1&=1&&", {}),
        ("strings[]=1&strings[a]=2", {"strings": ["", "1", "a", "2"]}),
        ("labels[a][b]=1", {}),
        ("labels[a.b]=1&labels[]=", {"labels": {"a.b": "1", "": ""}}),
        ("labels%5B~%21%40%23%24%25%5E%26%2A%28%29%5D=v", {"labels": {"~!@#$%^&*()": "v"}}),
        ("counters[%2B5]=-6&counters[007]=1", {"counters": {5: -6, 7: 1}}),
        ("chaptersByFlag.x=1", None),
        ("genresByName[a]=1&genresByName[b]=GENRE_FACTS", {"genres_by_name": {"a": 1, "b": 2}}),
        ("times[x]=1970-01-01T00:00:09Z", {"times": {"x": {"seconds": 9}}}),
        ("mask=", {"mask": {"paths": [""]}}),
        ("mask=doubleValue,a_b", {"mask": {"paths": ["doubleValue", "a_b"]}}),
        ("maybeNumber=1", {"maybe_number": 1}),
        ("choiceChapter.number=1&choiceChapter.title=x", {"choice_chapter": {"number": 1, "title": "x"}}),
        ("child.choiceText=a&choiceNumber=1", {"child": {"choice_text": "a"}, "choice_number": 1}),
        ("value=null", {"value": {"null_value": 0}}),
        ("value=%22%22", {"value": {"string_value": ""}}),
        ("value=0", {"value": {"number_value": 0}}),
        ("structure=%7B%22a%22%3A%7B%22b%22%3A1%7D%7D", {"structure": {"a": {"b": 1}}}),
        ("wrappedLong=-1&wrappedBytes=YQ%3D%3D", {"wrapped_long": {"value": -1}, "wrapped_bytes": {"value": b"a"}}),
        ("duration=1.5h", {"duration": {"seconds": 5400}}),
        ("floatValue=inf&doubleValue=0x1p4", {"float_value": float("inf"), "double_value": 16}),
    ],
)
def test_a_query_fills_what_it_knows(query: str, fields: dict[str, Any] | None) -> None:
    if fields is None:
        with pytest.raises(RefusedError, match="is not a message"):
            queried(query)
        return

    assert queried(query) == make("Everything", **fields)


@pytest.mark.parametrize(
    "query",
    [
        "int32Value[a]=1",
        "labels=1",
        "labels[a]=1&labels[a]=2",
        "child=1",
        "child[a]=1",
        "any=1",
        "list=[]",
        "empty=",
        "chapters=1",
        "chapters.number=1",
        "strings.x=1",
        "int32Value.x=1",
        "labels.a=1",
        "timestamp.seconds=x",
        "choiceText=a&choiceNumber=1",
        "choiceText=a&choice_text=b",
        "choiceText=a&choiceChapter.number=1",
        "int32Value=1&int32Value=2",
        "genre=genre_facts",
        "genre=9",
        "genres=",
        "boolValue=",
        "counters[x]=1",
        "counters[1.0]=1",
        "chaptersByFlag[true]=1",
        "structure=1",
        "value=",
        "value={}x",
        "value=[1",
        "duration=5",
        "timestamp=null",
        "duration=null",
        "uint32Value=%2B1",
        "uint64Value=-0",
    ],
)
def test_a_value_that_does_not_fit_is_refused(query: str) -> None:
    with pytest.raises(RefusedError) as caught:
        queried(query)

    assert (caught.value.status, caught.value.code) == (400, 3)


@pytest.mark.parametrize(
    ("excluded", "fields"),
    [
        ("child", {"string_value": "s"}),
        ("child.child", {"string_value": "s", "child": {"string_value": "t"}}),
        (
            "child.child.string_value",
            {"string_value": "s", "child": {"string_value": "t", "child": {"bool_value": True}}},
        ),
    ],
)
def test_what_the_path_or_the_body_fills_is_skipped(excluded: str, fields: dict[str, Any]) -> None:
    query = "child.child.boolValue=true&child.child.stringValue=u&child.stringValue=t&stringValue=s"

    assert queried(query, excluded) == make("Everything", **fields)


def variable(path: str, *, profile: Profile = GRPC_GATEWAY_V2, separator: str = ",") -> PathVariable:
    """The variable of an Everything."""
    return PathVariable(
        resolve(descriptor("Everything"), path.split(".")),
        codec=CODEC,
        populator=Populator(CODEC),
        profile=profile,
        separator=separator,
    )


@pytest.mark.parametrize(
    ("path", "text", "fields"),
    [
        ("int64_value", "0x10", {"int64_value": 16}),
        ("uint32_value", "010", {"uint32_value": 8}),
        ("sfixed32_value", "-0b1", {"sfixed32_value": -1}),
        ("child.int64_value", "010", {"child": {"int64_value": 10}}),
        ("wrapped_long", "0o7", {"wrapped_long": {"value": 7}}),
        ("child.wrapped_long", "7", {"child": {"wrapped_long": {"value": 7}}}),
        ("bool_value", "T", {"bool_value": True}),
        ("double_value", "0x1p-1", {"double_value": 0.5}),
        ("genre", "GENRE_FACTS", {"genre": 2}),
        ("genre", "0x2", {"genre": 2}),
        ("child.genre", "2", {"child": {"genre": 2}}),
        ("bytes_value", "-_8=", {"bytes_value": b"\xfb\xff"}),
        ("timestamp", "1970-01-01T00:00:01Z", {"timestamp": {"seconds": 1}}),
        ("timestamp", '"1970-01-01T00:00:01Z"', {"timestamp": {"seconds": 1}}),
        ("duration", "1.5s", {"duration": {"seconds": 1, "nanos": 500_000_000}}),
        ("duration", '"123.456s"', {"duration": {"seconds": 123, "nanos": 456_000_000}}),
        ("child.duration", "1h30m", {"child": {"duration": {"seconds": 5400}}}),
        ("strings", "a,b,c", {"strings": ["a", "b", "c"]}),
        ("strings", "", {"strings": [""]}),
        ("longs", "1,-2,0x3", {"longs": [1, -2, 3]}),
        ("doubles", "1.5,2,-3.25", {"doubles": [1.5, 2, -3.25]}),
        ("blobs", "Zm9v,YmFy", {"blobs": [b"foo", b"bar"]}),
        ("genres", "GENRE_FACTS,1", {"genres": [2, 1]}),
        ("child.strings", "a,b", {"child": {"strings": ["a,b"]}}),
        ("choice_number", "5", {"choice_number": 5}),
        ("maybe_number", "0", {"maybe_number": 0}),
    ],
)
def test_a_path_variable_sets_its_field(path: str, text: str, fields: dict[str, Any]) -> None:
    message = make("Everything")
    variable(path).set(message, text)

    assert message == make("Everything", **fields)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("int32_value", ""),
        ("int32_value", "2147483648"),
        ("int32_value", "0x"),
        ("uint32_value", "-1"),
        ("child.int64_value", "0x10"),
        ("child.int64_value", "1_0"),
        ("bool_value", "yes"),
        ("double_value", "1e999"),
        ("genre", "genre_facts"),
        ("genre", "9"),
        ("child.genre", "0x2"),
        ("bytes_value", "YQ"),
        ("timestamp", "123"),
        ("timestamp", "true"),
        ("timestamp", '"05-10-2016T10:19:13.123Z"'),
        ("duration", "123"),
        ("duration", "1h30m"),
        ("duration", '"123years"'),
        ("child.duration", "5"),
        ("longs", "1,x"),
        ("longs", ""),
        ("genres", "GENRE_FACTS,9"),
        ("blobs", "Zm9v,!!!!"),
        ("chapters.number", "1"),
    ],
)
def test_a_path_variable_of_another_type_is_refused_by_its_name(path: str, text: str) -> None:
    with pytest.raises(RefusedError, match=f"type mismatch, parameter: {path}, error: ") as caught:
        variable(path).set(make("Everything"), text)

    assert (caught.value.status, caught.value.code) == (400, 3)


def test_elements_may_be_separated_otherwise() -> None:
    message = make("Everything")
    variable("strings", separator="|").set(message, "a|b,c")

    assert message.strings == ["a", "b,c"]


def test_a_path_variable_replaces_what_the_body_set_but_no_other_choice() -> None:
    message = make("Everything", strings=["x"], choice_number=1)
    variable("strings").set(message, "a")
    variable("choice_number").set(message, "2")

    assert message == make("Everything", strings=["a"], choice_number=2)
    with pytest.raises(RefusedError, match="excludes 'choice_number'"):
        variable("choice_text").set(message, "x")


def test_the_default_profile_reads_integers_in_base_10() -> None:
    message = make("Everything")
    variable("int64_value", profile=DEFAULT).set(message, "010")

    assert message.int64_value == 10
    with pytest.raises(RefusedError, match="in base 10"):
        variable("int64_value", profile=DEFAULT).set(message, "0x10")


def test_old_syntax_is_read_alike(tmp_path: Any) -> None:
    descriptors: FileDescriptorSet = compile_text(
        'syntax = "proto2"; package o; message M { optional int32 a = 1; repeated string b = 2; required bool c = 3; }',
        tmp_path,
    )
    old = Types(descriptors)
    kind = old.find("o.M")
    assert kind is not None
    message: Any = old.message_class(kind)()
    QueryReader(kind, excluded=[], populator=Populator(DecoderSet(old)), strict=False).read(b"a=5&b=x&b=y&c=1", message)

    assert (message.a, message.b, message.c) == (5, ["x", "y"], True)
