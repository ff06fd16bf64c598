"""Messages and fields in the OpenAPI document: what is left out, what is a number, what excludes what."""

from pathlib import Path
from typing import Any

import pytest

from gateway.transcode import Binary, Json, Options
from tests.integration.transcode.description import describe, is_valid, success
from tests.unit.transcode import contract

ALONE = """
syntax = "proto3";
package alone.v1;
import "google/api/annotations.proto";
import "google/api/field_behavior.proto";
import "google/protobuf/wrappers.proto";
service Alone {
  rpc Get(Thing) returns (Thing) {
    option (google.api.http) = {
      get: "/count" response_body: "count"
      additional_bindings { get: "/counts" response_body: "counts" }
      additional_bindings { get: "/byName" response_body: "by_name" }
      additional_bindings { get: "/inner" response_body: "inner" }
      additional_bindings { get: "/size" response_body: "size" }
      additional_bindings { put: "/things/{inner.id}" body: "inner" }
      additional_bindings { post: "/things/{inner.id}" body: "*" }
    };
  }
}
message Thing {
  int64 count = 1;
  repeated uint64 counts = 2;
  map<string, int64> by_name = 3;
  Inner inner = 4;
  int32 size = 5;
  map<int32, bool> flags = 6;
  map<bool, bool> answers = 7;
  string made_by = 8 [(google.api.field_behavior) = OUTPUT_ONLY];
  oneof one { string a = 9; string b = 10; string c = 11; }
  oneof other { string d = 12; string e = 13; }
  Kind kind = 14;
}
message Inner {
  string id = 1 [(google.api.field_behavior) = REQUIRED];
  // What it is called. (-- Not for everybody. --)
  string display_name = 2 [(google.api.field_behavior) = REQUIRED];
  string secret = 3 [(google.api.field_behavior) = INPUT_ONLY];
  Thing parent = 4;
}
enum Kind { KIND_UNSPECIFIED = 0; KIND_SMALL = 1; }
"""


@pytest.fixture
async def alone(tmp_path: Path) -> dict[str, Any]:
    return await describe(contract.compile_text(ALONE, tmp_path), "alone.v1.Alone")


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/count", {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1}),
        (
            "/counts",
            {"type": "array", "items": {"type": "integer", "format": "uint64", "minimum": 0, "maximum": 2**64 - 1}},
        ),
        (
            "/byName",
            {
                "type": "object",
                "additionalProperties": {
                    "type": "integer",
                    "format": "int64",
                    "minimum": -(2**63),
                    "maximum": 2**63 - 1,
                },
            },
        ),
        ("/inner", {"anyOf": [{"$ref": "#/components/schemas/alone.v1.Inner"}, {"type": "null"}]}),
        ("/size", {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1}),
    ],
)
def test_a_field_as_the_whole_answer_has_its_long_integers_as_numbers(
    alone: dict[str, Any], path: str, schema: dict[str, Any]
) -> None:
    assert success(alone, path)["application/json"]["schema"] == schema


@pytest.mark.parametrize("method", ["put", "post"])
def test_what_the_path_fills_inside_of_the_body_is_not_asked_for_again(alone: dict[str, Any], method: str) -> None:
    schema = alone["paths"]["/things/{inner_id}"][method]["requestBody"]["content"]["application/json"]["schema"]
    inner = schema if method == "put" else schema["properties"]["inner"]

    assert set(inner["properties"]) == {"displayName", "secret", "parent"}
    assert inner["required"] == ["displayName"]


def test_fields_that_are_only_answered_are_no_query(alone: dict[str, Any]) -> None:
    names = {parameter["name"] for parameter in alone["paths"]["/count"]["get"]["parameters"]}

    assert "madeBy" not in names
    assert {"count", "inner.displayName", "kind"} <= names


@pytest.mark.parametrize(
    ("thing", "taken"),
    [
        ({"a": "x", "d": "y"}, True),
        ({"b": "x"}, True),
        ({"a": "x", "b": "y"}, False),
        ({"b": "x", "c": "y"}, False),
        ({"d": "x", "e": "y"}, False),
        ({"flags": {"-7": True}, "answers": {"true": False}}, True),
        ({"flags": {"seven": True}}, False),
        ({"answers": {"1": True}}, False),
        ({"inner": None, "count": "9"}, True),
        ({"kind": "KIND_SMALL"}, True),
        ({"kind": "SMALL"}, False),
    ],
)
def test_the_schema_of_a_message_takes_what_is_one(alone: dict[str, Any], thing: dict[str, Any], taken: bool) -> None:
    assert is_valid(alone, {"$ref": "#/components/schemas/alone.v1.Thing"}, thing) == taken


def test_internal_comments_are_left_out(alone: dict[str, Any]) -> None:
    inner = alone["components"]["schemas"]["alone.v1.Inner"]["properties"]

    assert inner["displayName"]["description"] == "What it is called."
    assert inner["secret"]["writeOnly"] is True


async def test_names_and_enums_are_as_the_marshaler_writes_them(tmp_path: Path) -> None:
    style = Json(use_proto_names=True, use_enum_numbers=True)
    options = Options(marshalers={"*": style, "application/x-protobuf": Binary(content_type="application/x-protobuf")})
    made = await describe(contract.compile_text(ALONE, tmp_path), "alone.v1.Alone", options=options)
    schemas = made["components"]["schemas"]

    assert "by_name" in schemas["alone.v1.Thing"]["properties"]
    assert schemas["alone.v1.Inner"]["required"] == ["id", "display_name"]
    assert (schemas["alone.v1.Kind"]["type"], schemas["alone.v1.Kind"]["enum"]) == ("integer", [0, 1])
    assert success(made, "/inner")["application/x-protobuf"] == {"schema": {}}
