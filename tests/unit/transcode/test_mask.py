"""Field masks derived from bodies with free-form parts."""

from typing import Any

import pytest

from gateway.transcode.codec.fault import JsonError
from gateway.transcode.codec.mask import mask_paths
from tests.unit.transcode.contract import descriptor


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        ({"structure": {"a": {"b": 1}, "c": [1]}}, ["structure.a.b", "structure.c"]),
        ({"structure": {}}, ["structure"]),
        ({"value": {"a": {"b": None}}}, ["value.a.b"]),
        ({"value": [1]}, ["value"]),
        ({"list": [1]}, ["list"]),
        ({"any": {"@type": "x/library.v1.Chapter", "number": 1}}, ["any"]),
        ({"wrappedLong": "1", "duration": "1s"}, ["duration", "wrapped_long"]),
        ({"child": {"child": {"chapters": [{"number": 1}]}}}, ["child.child.chapters"]),
        ({"chapters_by_flag": {"true": {}}}, ["chapters_by_flag"]),
        ({"choiceChapter": {"title": ""}}, ["choice_chapter.title"]),
        ({"anotherName": "x"}, ["renamed"]),
        ([], []),
    ],
)
def test_leaves_are_named_in_proto_spelling(value: Any, paths: list[str]) -> None:
    assert mask_paths(value, descriptor("Everything")) == paths


@pytest.mark.parametrize(
    ("value", "field", "reason"),
    [
        ({"child": {"nope": 1}}, "child.nope", "is no field of Everything"),
        ({"any": {"number": 1}}, "any", '"@type"'),
    ],
)
def test_what_is_no_field_is_refused(value: Any, field: str, reason: str) -> None:
    with pytest.raises(JsonError, match=reason) as caught:
        mask_paths(value, descriptor("Everything"))

    assert caught.value.field == field
