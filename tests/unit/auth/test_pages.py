"""Page sizes and page tokens."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.errors import FlickError, Kind
from services.auth.rules import pages

SOME_ID = "01a1fd46-0fd3-7dad-a789-28b124373592"


@pytest.mark.parametrize(("asked", "size"), [(0, 100), (1, 1), (1000, 1000)])
def test_a_page_has_as_many_rows_as_asked(asked: int, size: int) -> None:
    assert pages.page_size(asked) == size


@pytest.mark.parametrize("asked", [-1, 1001])
def test_a_size_out_of_range_is_named(asked: int) -> None:
    with pytest.raises(FlickError) as caught:
        pages.page_size(asked)

    assert caught.value.violations[0].field == "page_size"


@given(st.text().filter(lambda name: "\0" not in name), st.uuids())
def test_what_is_written_is_read_back(name: str, identifier: object) -> None:
    token = pages.write_token(name, str(identifier))

    assert pages.read_name_and_id(token) == (name, identifier)


def test_no_token_is_the_first_page() -> None:
    assert pages.read_id("") is None
    assert pages.read_name_and_id("") is None


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "\0",
        "한글",
        encoded({}),
        encoded([]),
        encoded(["a"]),
        encoded([1]),
        encoded(["a", SOME_ID, "b"]),
        encoded(["a\0", SOME_ID]),
        encoded(["\ud800", SOME_ID]),
        encoded(["a", "b"]),
        base64.urlsafe_b64encode(b"[" * 700).decode(),
        "A" * 2000,
    ],
)
def test_a_token_of_nobody_is_refused(token: str) -> None:
    with pytest.raises(FlickError) as caught:
        pages.read_name_and_id(token)

    assert (caught.value.kind, caught.value.violations[0].field) == (Kind.INVALID_ARGUMENT, "page_token")


@given(st.text(max_size=200))
def test_no_token_whatever_raises_anything_else(token: str) -> None:
    try:
        pages.read_id(token)
    except FlickError as error:
        assert error.kind is Kind.INVALID_ARGUMENT  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(("found", "page", "last"), [(0, 0, None), (2, 2, None), (3, 2, 1)])
def test_a_page_is_cut_where_more_was_found(found: int, page: int, last: int | None) -> None:
    rows, follows = pages.cut(list(range(found)), size=2)

    assert (len(rows), follows) == (page, last)
