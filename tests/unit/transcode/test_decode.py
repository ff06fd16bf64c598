"""JSON as messages: what is read, and how strictly."""

from typing import Any

import pytest

from gateway.transcode.codec.decode import Decoder, DecoderSet
from gateway.transcode.codec.fault import JsonError
from gateway.transcode.codec.text import parse_json
from tests.unit.transcode.contract import descriptor, make, types

CODEC = DecoderSet(types())


def decoded(text: str | bytes, kind: str = "Everything") -> Any:
    """The message that JSON text describes."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return Decoder(descriptor(kind), codec=CODEC).from_object(parse_json(raw))


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("{}", {}),
        ('{"int32Value":1,"int64_value":"2"}', {"int32_value": 1, "int64_value": 2}),
        ('{"int64Value":3,"uint64Value":"18446744073709551615"}', {"int64_value": 3, "uint64_value": 2**64 - 1}),
        (
            '{"int32Value":1.0,"int64Value":"1e3","sint32Value":"-2.0"}',
            {"int32_value": 1, "int64_value": 1000, "sint32_value": -2},
        ),
        ('{"doubleValue":"1.5","floatValue":2}', {"double_value": 1.5, "float_value": 2.0}),
        ('{"doubleValue":"-Infinity"}', {"double_value": float("-inf")}),
        ('{"boolValue":true,"stringValue":"가"}', {"bool_value": True, "string_value": "가"}),
        ('{"bytesValue":"-_8"}', {"bytes_value": b"\xfb\xff"}),
        ('{"bytesValue":"+/8="}', {"bytes_value": b"\xfb\xff"}),
        ('{"genre":"GENRE_FACTS"}', {"genre": 2}),
        ('{"genre":42}', {"genre": 42}),
        ('{"genre":"NO_SUCH"}', {}),
        ('{"genre":"1"}', {}),
        ('{"genres":["GENRE_FACTS","NO_SUCH",1]}', {"genres": [2, 1]}),
        ('{"genresByName":{"a":"NO_SUCH","b":1}}', {"genres_by_name": {"b": 1}}),
        ('{"unknown":{"deep":[1]},"boolValue":true}', {"bool_value": True}),
        ('{"child":{"child":{}}}', {"child": {"child": {}}}),
        ('{"child":null,"strings":null,"labels":null,"int32Value":null}', {}),
        ('{"choiceText":"a","choiceNumber":null}', {"choice_text": "a"}),
        ('{"maybeNumber":0}', {"maybe_number": 0}),
        (
            '{"counters":{"-1":"2"},"chaptersByFlag":{"true":{"number":1}}}',
            {"counters": {-1: 2}, "chapters_by_flag": {True: {"number": 1}}},
        ),
        ('{"chapters":[{"number":1},{}]}', {"chapters": [{"number": 1}, {}]}),
        ('{"timestamp":"2024-02-29T23:59:59.5+01:00"}', {"timestamp": {"seconds": 1709247599, "nanos": 500_000_000}}),
        ('{"timestamp":"0001-01-01T00:00:00Z"}', {"timestamp": {"seconds": -62135596800}}),
        (
            '{"timestamp":"9999-12-31T23:59:59.999999999Z"}',
            {"timestamp": {"seconds": 253402300799, "nanos": 999999999}},
        ),
        ('{"duration":"-0.000000001s"}', {"duration": {"nanos": -1}}),
        ('{"mask":"displayName,a.bC"}', {"mask": {"paths": ["display_name", "a.b_c"]}}),
        ('{"mask":""}', {"mask": {}}),
        ('{"value":null}', {"value": {"null_value": 0}}),
        ('{"nullValue":null}', {}),
        (
            '{"wrappedLong":"5","wrappedBool":false,"wrappedString":null}',
            {"wrapped_long": {"value": 5}, "wrapped_bool": {}},
        ),
        ('{"any":{}}', {"any": {}}),
        ('{"anotherName":"x"}', {"renamed": "x"}),
        ('{"renamed":"x"}', {"renamed": "x"}),
        ('{"empty":{}}', {"empty": {}}),
        ('{"stringValue":"\\ud83d\\ude00"}', {"string_value": "😀"}),
        (' \n {"boolValue":true} trailing', {"bool_value": True}),
    ],
)
def test_json_is_read(text: str, fields: dict[str, Any]) -> None:
    assert decoded(text) == make("Everything", **fields)


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        ("[]", "", "must be an object"),
        ("null", "", "must be an object"),
        ('{"int32Value":"x"}', "int32Value", "must be an integer"),
        ('{"int32Value":1.5}', "int32Value", "must be an integer"),
        ('{"int32Value":true}', "int32Value", "must be an integer"),
        ('{"int32Value":" 1"}', "int32Value", "must be an integer"),
        ('{"int32Value":""}', "int32Value", "must be an integer"),
        ('{"int32Value":"1e99999"}', "int32Value", "must be an integer"),
        ('{"int32Value":2147483648}', "int32Value", "between -2147483648 and 2147483647"),
        ('{"uint32Value":-1}', "uint32Value", "between 0 and"),
        ('{"int64Value":"9223372036854775808"}', "int64Value", "between"),
        ('{"int64Value":1e300}', "int64Value", "between"),
        ('{"doubleValue":true}', "doubleValue", "must be a number"),
        ('{"doubleValue":"1,5"}', "doubleValue", "must be a number"),
        ('{"doubleValue":1e999}', "doubleValue", "too large"),
        ('{"doubleValue":"inf"}', "doubleValue", "must be a number"),
        ('{"floatValue":3.5e38}', "floatValue", "too large"),
        ('{"doubleValue":NaN}', "", 'write "NaN" as a string'),
        ('{"boolValue":"true"}', "boolValue", "must be true or false"),
        ('{"boolValue":1}', "boolValue", "must be true or false"),
        ('{"stringValue":5}', "stringValue", "must be a string"),
        ('{"stringValue":"\\ud83d"}', "stringValue", "surrogate"),
        ('{"bytesValue":"!!"}', "bytesValue", "base64"),
        ('{"bytesValue":"é"}', "bytesValue", "base64"),
        ('{"bytesValue":"a"}', "bytesValue", "base64"),
        ('{"genre":true}', "genre", "name of a value"),
        ('{"genre":1.5}', "genre", "integer"),
        ('{"genre":4294967296}', "genre", "between"),
        ('{"child":[]}', "child", "must be an object"),
        ('{"child":{"child":{"int32Value":"x"}}}', "child.child.int32Value", "must be an integer"),
        ('{"chapters":[{},{"number":"x"}]}', "chapters[1].number", "must be an integer"),
        ('{"chapters":[null]}', "chapters[0]", "must not be null"),
        ('{"chapters":{}}', "chapters", "must be a list"),
        ('{"longs":[1,null]}', "longs[1]", "must be an integer"),
        ('{"labels":[]}', "labels", "must be an object"),
        ('{"labels":{"a":null}}', "labels[a]", "must be a string"),
        ('{"chaptersByFlag":{"true":null}}', "chaptersByFlag[true]", "must not be null"),
        ('{"chaptersByFlag":{"yes":{}}}', "chaptersByFlag[yes]", "true or false"),
        ('{"counters":{"x":1}}', "counters[x]", "must be an integer"),
        ('{"counters":{"1":1,"1.0":2}}', "counters[1.0]", "given twice"),
        ('{"boolValue":true,"boolValue":true}', "boolValue", "given twice"),
        ('{"boolValue":true,"bool_value":true}', "bool_value", "both its names"),
        ('{"choiceText":"a","choiceNumber":1}', "choiceNumber", "only one of 'choice'"),
        ('{"timestamp":"2024-02-30T00:00:00Z"}', "timestamp", "day"),
        ('{"timestamp":"2024-01-01 00:00:00Z"}', "timestamp", "RFC 3339"),
        ('{"timestamp":"2024-01-01T00:00:00"}', "timestamp", "with a zone"),
        ('{"timestamp":"2024-01-01T24:00:00Z"}', "timestamp", "out of range"),
        ('{"timestamp":"0001-01-01T00:00:00+01:00"}', "timestamp", "years 1 to 9999"),
        ('{"timestamp":"0000-01-01T00:00:00Z"}', "timestamp", "year"),
        ('{"timestamp":5}', "timestamp", "must be a string"),
        ('{"duration":"5"}', "duration", "such as 1.5s"),
        ('{"duration":"315576000001s"}', "duration", "ten thousand years"),
        ('{"mask":"a_b"}', "mask", "lowerCamelCase"),
        ('{"wrappedLong":{"value":1}}', "wrappedLong", "must be an integer"),
        ('{"any":{"@type":5}}', "any.@type", "must name a type"),
        ('{"any":{"@type":"x.io/no.such"}}', "any.@type", "no.such"),
        ('{"any":{"@type":"x.io/google.protobuf.Duration"}}', "any", '"value"'),
        ('{"structure":[]}', "structure", "must be an object"),
        ('{"list":{}}', "list", "must be a list"),
        ('{"value":{"a":[1,"\\udc00"]}}', "value.a[1]", "surrogate"),
        ("", "", "no JSON"),
        ('{"a":', "", "no JSON"),
        (b'{"a":"\xff"}', "", "not UTF-8"),
        ("[" * 100_000, "", "nested too deeply"),
    ],
)
def test_json_that_does_not_fit_is_refused_with_the_field(text: str | bytes, field: str, reason: str) -> None:
    with pytest.raises(JsonError, match=reason) as caught:
        decoded(text)

    assert caught.value.field == field


def nested(levels: int) -> str:
    """A message in a message, so many levels deep."""
    return '{"child":' * (levels - 1) + "{}" + "}" * (levels - 1)


def test_a_hundred_levels_are_read_and_one_more_is_refused() -> None:
    deep = decoded(nested(100))
    again = type(deep).FromString(deep.SerializeToString())

    assert again == deep
    with pytest.raises(JsonError, match="nested deeper"):
        decoded(nested(101))


@pytest.mark.parametrize(
    "text", ['{"value":%s}' % ("[" * 60 + "]" * 60), '{"structure":%s}' % ('{"a":' * 50 + "1" + "}" * 50)]
)
def test_a_structure_deeper_than_a_backend_reads_is_refused(text: str) -> None:
    with pytest.raises(JsonError, match="nested deeper"):
        decoded(text)


def test_a_structure_as_deep_as_a_backend_reads_is_read() -> None:
    deep = decoded('{"value":%s}' % ("[" * 45 + "]" * 45))

    assert type(deep).FromString(deep.SerializeToString()) == deep


def test_an_any_in_an_any_is_no_way_around_the_limit() -> None:
    level = '{"@type":"x.io/google.protobuf.Any","value":'
    with pytest.raises(JsonError, match="nested deeper"):
        decoded('{"any":' + level * 150 + "{}" + "}" * 151)


def test_an_any_packs_the_type_it_names() -> None:
    message = decoded('{"any":{"@type":"x.io/library.v1.Chapter","number":4}}')

    assert types().message_class(descriptor("Chapter")).FromString(message.any.value) == make("Chapter", number=4)
    assert message.any.type_url == "x.io/library.v1.Chapter"
