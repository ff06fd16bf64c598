"""Every well-known type in both directions, up to its limits; and how strictly the rest is read."""

import json
import math
from typing import Any

import pytest
from google.protobuf import any_pb2

from gateway.transcode.codec.decode import Decoder, DecoderSet
from gateway.transcode.codec.encode import Encoder, EncoderSet
from gateway.transcode.codec.fault import MAX_DEPTH, JsonError
from gateway.transcode.codec.text import parse_json
from tests.unit.transcode.contract import descriptor, make, types

EVERYTHING = descriptor("Everything")
ENCODER = Encoder(EVERYTHING, codec=EncoderSet(types()))
DECODER = Decoder(EVERYTHING, codec=DecoderSet(types()))


def decoded(text: str) -> Any:
    """The Everything that JSON text describes."""
    return DECODER.from_object(parse_json(text.encode("utf-8", "surrogatepass")))


def packed(kind: str, **fields: Any) -> dict[str, Any]:
    """The fields of an Any with a well-known message."""
    found = types().find(f"google.protobuf.{kind}")
    assert found is not None
    outer = any_pb2.Any()
    outer.Pack(types().message_class(found)(**fields))
    return {"type_url": outer.type_url, "value": outer.value}


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("timestamp", {"seconds": -62135596800}, '"0001-01-01T00:00:00Z"'),
        ("timestamp", {"seconds": 253402300799, "nanos": 999_999_999}, '"9999-12-31T23:59:59.999999999Z"'),
        ("timestamp", {"seconds": -1, "nanos": 1}, '"1969-12-31T23:59:59.000000001Z"'),
        ("timestamp", {"nanos": 100_000_000}, '"1970-01-01T00:00:00.100Z"'),
        ("timestamp", {"nanos": 1000}, '"1970-01-01T00:00:00.000001Z"'),
        ("duration", {"seconds": 315_576_000_000, "nanos": 999_999_999}, '"315576000000.999999999s"'),
        ("duration", {"seconds": -315_576_000_000, "nanos": -999_999_999}, '"-315576000000.999999999s"'),
        ("duration", {"nanos": -1000}, '"-0.000001s"'),
        ("duration", {}, '"0s"'),
        ("mask", {"paths": []}, '""'),
        ("mask", {"paths": ["a", "b_c.d_e", "_f"]}, '"a,bC.dE,F"'),
        ("wrapped_long", {"value": -(2**63)}, '"-9223372036854775808"'),
        ("wrapped_ulong", {"value": 2**64 - 1}, '"18446744073709551615"'),
        ("wrapped_int", {"value": -(2**31)}, "-2147483648"),
        ("wrapped_uint", {"value": 2**32 - 1}, "4294967295"),
        ("wrapped_double", {"value": -math.inf}, '"-Infinity"'),
        ("wrapped_double", {"value": 5e-324}, "5e-324"),
        ("wrapped_float", {"value": math.inf}, '"Infinity"'),
        ("wrapped_bool", {"value": False}, "false"),
        ("wrapped_string", {"value": "\u0000\U0001f600\u2028"}, '"\\u0000😀\u2028"'),
        ("wrapped_bytes", {"value": b"\xff"}, '"/w=="'),
        ("value", {"null_value": 0}, "null"),
        ("value", {"number_value": -0.5}, "-0.5"),
        ("value", {"string_value": ""}, '""'),
        ("value", {"bool_value": True}, "true"),
        ("value", {"struct_value": {}}, "{}"),
        ("value", {"list_value": {"values": [{"null_value": 0}]}}, "[null]"),
        ("structure", {"a": [1, {"b": None}]}, '{"a":[1,{"b":null}]}'),
        ("list", [None, [], {}], "[null,[],{}]"),
        ("values", [{"null_value": 0}, {"number_value": 1}], "[null,1]"),
        ("empty", {}, "{}"),
        ("any", {}, "{}"),
        ("any", packed("Duration", seconds=1), '{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}'),
        ("any", packed("Empty"), '{"@type":"type.googleapis.com/google.protobuf.Empty","value":{}}'),
        (
            "any",
            packed("Int64Value", value=1),
            '{"@type":"type.googleapis.com/google.protobuf.Int64Value","value":"1"}',
        ),
        ("int64_value", 2**63 - 1, '"9223372036854775807"'),
        ("uint64_value", 2**63, '"9223372036854775808"'),
        ("double_value", 2.0**63, "9.223372036854776e+18"),
        ("double_value", math.inf, '"Infinity"'),
        ("float_value", 3.4028234663852886e38, "3.4028235e+38"),
    ],
)
def test_it_is_written_so_and_read_back(field: str, value: Any, text: str) -> None:
    message = make("Everything", **{field: value})
    shown = json.dumps(ENCODER.to_object(message)[EVERYTHING.fields_by_name[field].json_name], ensure_ascii=False)

    assert json.loads(shown) == json.loads(text)
    assert decoded(f'{{"{field}":{text}}}') == message


def test_an_any_may_hold_another() -> None:
    inner = packed("Timestamp")
    message = make("Everything", any=packed("Any", **inner))
    shown = ENCODER.to_object(message)["any"]

    assert shown["value"] == {"@type": inner["type_url"], "value": "1970-01-01T00:00:00Z"}
    assert decoded(json.dumps({"any": shown})) == message


def test_nan_and_negative_zero_keep_what_they_are() -> None:
    message = decoded('{"doubleValue":"NaN","floatValue":-0.0,"doubles":[-0,"-0",0]}')

    assert math.isnan(message.double_value)
    assert math.copysign(1, message.float_value) == -1
    assert [math.copysign(1, number) for number in message.doubles][1:] == [-1, 1]
    assert b'"floatValue":-0.0' in ENCODER.to_json(message)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('{"timestamp":"1970-01-01T1:00:00,5+01:00"}', {"timestamp": {"nanos": 500_000_000}}),
        ('{"duration":"+1.s"}', {"duration": {"seconds": 1}}),
        ('{"mask":" a , b "}', None),
        ('{"mask":" a,b "}', {"mask": {"paths": ["a", "b"]}}),
        ('{"bytesValue":"YWI"}', {"bytes_value": b"ab"}),
        ('{"bytesValue":"YWI="}', {"bytes_value": b"ab"}),
        ('{"bytesValue":"YWI=="}', None),
        ('{"bytesValue":"-_+/"}', None),
        ('{"bytesValue":"Y"}', None),
        ('{"uint32Value":-0,"int32Value":"-0"}', {}),
        ('{"int32Value":1.5e1,"int64Value":"100e-2"}', {"int32_value": 15, "int64_value": 1}),
        ('{"int32Value":1e-1}', None),
        ('{"int32Value":" 1"}', None),
        ('{"int32Value":"+1"}', None),
        ('{"int32Value":"0x1"}', None),
        ('{"int64Value":9223372036854775808}', None),
        ('{"floatValue":1e39}', None),
        ('{"doubleValue":1e309}', None),
        ('{"doubleValue":"nan"}', None),
        ('{"doubleValue":NaN}', None),
        ('{"stringValue":"\\ud83d\\ude00"}', {"string_value": "😀"}),
        ('{"stringValue":"\\ud83d"}', None),
        ('{"stringValue":"\\ude00\\ud83d"}', None),
        ('{"labels":{"\\ud800":"x"}}', None),
        ('{"stringValue":"a\nb"}', None),
        ('{"any":{"number":1}}', {"any": {}}),
        ('{"any":{"@type":""}}', None),
        ('{"any":{"@type":"x/google.protobuf.Duration"}}', None),
        ('{"any":null,"empty":null,"timestamp":null}', {}),
        ('{"values":null}', None),
        ('{"value":null}', {"value": {"null_value": 0}}),
        ('{"nullValue":null}', {}),
        ('{"unknown":1,"unknown":2,"boolValue":true}', {"bool_value": True}),
        ('{"unknown":{"a":1,"a":2}}', {}),
        ('{"boolValue":true,"boolValue":true}', None),
        ('{"boolValue":true,"bool_value":true}', None),
        ('{"labels":{"a":"1","a":"2"}}', None),
        ('{"structure":{"a":1,"a":2}}', None),
        ('{"counters":{"1":"1","01":"1"}}', None),
        ('{"choiceText":"a","choiceNumber":"1"}', None),
        ('{"child":{"child":[]}}', None),
        ('{"chapters":[null]}', None),
        ('{"boolValue":"true"}', None),
        ('{"boolValue":1}', None),
        ('{"stringValue":1}', None),
        ('{"genre":true}', None),
        ('{"genre":1.0}', {"genre": 1}),
        ('{"genre":2147483648}', None),
        ("{} trailing", {}),
        ('{"boolValue":true}]', {"bool_value": True}),
        ("{'a':1}", None),
        ('{"a":1,}', None),
        ("[]", None),
        ("null", None),
    ],
)
def test_json_is_read_as_strictly_as_gos(text: str, fields: dict[str, Any] | None) -> None:
    if fields is None:
        with pytest.raises(JsonError):
            decoded(text)
        return

    assert decoded(text) == make("Everything", **fields)


@pytest.mark.parametrize(
    ("field", "opening", "levels"),
    [
        ("child", '{"child":', MAX_DEPTH - 2),
        ("any", '{"@type":"x/google.protobuf.Any","value":', MAX_DEPTH - 2),
        ("structure", '{"a":', MAX_DEPTH // 3 - 1),
    ],
)
def test_messages_nest_a_hundred_levels_and_no_more(field: str, opening: str, levels: int) -> None:
    def nested(count: int) -> str:
        return f'{{"{field}":' + opening * count + "{}" + "}" * count + "}"

    message = decoded(nested(levels))

    assert type(message).FromString(message.SerializeToString()) == message
    for count in (MAX_DEPTH, 5000):
        with pytest.raises(JsonError, match="nested"):
            decoded(nested(count))


def test_values_nest_as_deep_as_a_backend_can_read() -> None:
    levels = (MAX_DEPTH - 2) // 2
    message = decoded('{"value":' + "[" * levels + "]" * levels + "}")

    assert type(message).FromString(message.SerializeToString()) == message
    with pytest.raises(JsonError, match="nested"):
        decoded('{"value":' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}")


@pytest.mark.parametrize(
    "fields",
    [
        {"timestamp": {"seconds": -62135596801}},
        {"timestamp": {"seconds": 253402300800}},
        {"timestamp": {"nanos": -1}},
        {"timestamp": {"nanos": 10**9}},
        {"duration": {"seconds": 315_576_000_001}},
        {"duration": {"seconds": 1, "nanos": -1}},
        {"duration": {"nanos": 10**9}},
        {"mask": {"paths": ["a__b"]}},
        {"mask": {"paths": ["aB"]}},
        {"mask": {"paths": [""]}},
        {"value": {}},
        {"list": [float("nan")]},
        {"structure": {"a": float("inf")}},
        {"any": {"type_url": "x/no.such.Type"}},
    ],
)
def test_what_has_no_json_is_an_error(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        ENCODER.to_json(make("Everything", **fields))
