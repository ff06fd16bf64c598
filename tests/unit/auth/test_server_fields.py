"""Tags, descriptions and categories of servers."""

import unicodedata

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import given
from hypothesis import strategies as st

from flick.errors import FlickError
from flick.v1 import servers_pb2
from services.auth.rules import servers, tags


def change(paths: list[str], **values: object) -> servers.ServerChange:
    return servers.read_change(servers_pb2.Server(**values), FieldMask(paths=paths))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("texts", "kept"),
    [
        ([], []),
        (["web"], ["web"]),
        (["Web", " web ", "WEB"], ["web"]),
        (["role:db", "env:Prod"], ["env:prod", "role:db"]),
        (["서버", "역할:데이터베이스"], ["서버", "역할:데이터베이스"]),
        ([unicodedata.normalize("NFD", "서버"), "서버"], ["서버"]),
        (["a-b_c.d/e@f:1.2"], ["a-b_c.d/e@f:1.2"]),
        (["x" * 50], ["x" * 50]),
        ([f"t{n:02}" for n in range(16)], [f"t{n:02}" for n in range(16)]),
    ],
)
def test_tags_are_kept_alike_whoever_wrote_them(texts: list[str], kept: list[str]) -> None:
    assert tags.checked_tags(texts, field="server.tags") == kept


@pytest.mark.parametrize(
    ("texts", "field"),
    [
        (["web", ""], "server.tags[1]"),
        (["  "], "server.tags[0]"),
        (["x" * 51], "server.tags[0]"),
        (["x" * 100_000], "server.tags[0]"),
        (["a:b:c"], "server.tags[0]"),
        ([":b"], "server.tags[0]"),
        (["a:"], "server.tags[0]"),
        (["a b"], "server.tags[0]"),
        (["a*"], "server.tags[0]"),
        (["a,b"], "server.tags[0]"),
        (["a\0"], "server.tags[0]"),
        ([f"t{n}" for n in range(17)], "server.tags"),
    ],
)
def test_tags_that_can_not_be_are_named(texts: list[str], field: str) -> None:
    with pytest.raises(FlickError) as caught:
        tags.checked_tags(texts, field="server.tags")

    assert caught.value.violations[0].field == field


@given(st.lists(st.text(max_size=60), max_size=20))
def test_tags_that_are_kept_are_kept_the_same_again(texts: list[str]) -> None:
    try:
        once = tags.checked_tags(texts, field="tags")
    except FlickError:
        return

    assert tags.checked_tags(once, field="tags") == once


def test_only_what_the_mask_names_is_changed() -> None:
    made = change(["description"], description=" one\r\ntwo ", display_name="left", tags=["left"], category=2)

    assert made == servers.ServerChange(description="one\ntwo")


def test_every_field_can_be_changed_at_once_and_emptied() -> None:
    made = change(list(servers.CHANGEABLE), display_name="a")

    assert made == servers.ServerChange(display_name="a", tags=[], description="", category=0, leaves_group=True)


@pytest.mark.parametrize(
    ("paths", "values", "field", "words"),
    [
        (["server_id"], {}, "update_mask", "can't be changed"),
        (["host.hostname"], {}, "update_mask", "is no field"),
        (["colour"], {}, "update_mask", "is no field"),
        (["description"], {"description": "x" * 1001}, "server.description", "at most 1000"),
        (["description"], {"description": "a\x1bb"}, "server.description", "control"),
        (["category"], {"category": 9}, "server.category", "SERVER_CATEGORY_CLOUD"),
    ],
)
def test_what_can_not_be_is_named_with_its_fix(
    paths: list[str], values: dict[str, object], field: str, words: str
) -> None:
    with pytest.raises(FlickError) as caught:
        change(paths, **values)

    assert caught.value.violations[0].field == field
    assert words in caught.value.public
