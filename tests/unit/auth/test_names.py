"""Names, e-mail addresses and passwords that people give."""

import unicodedata

import pytest

from flick.errors import FlickError, Kind
from services.auth.rules import names


@pytest.mark.parametrize(
    ("text", "name"), [("x", "x"), (" 데이터 1 ", "데이터 1"), ("x" * 100, "x" * 100), ("🚀", "🚀")]
)
def test_a_name_is_taken_without_blanks_around_it(text: str, name: str) -> None:
    assert names.display_name(text, field="display_name") == name


@pytest.mark.parametrize("text", ["", "   ", "x" * 101, "a\nb", "a\0b", "a\x1b[31mb", "a\u2028b", "a\x7fb"])
def test_a_name_that_can_not_be_is_refused(text: str) -> None:
    with pytest.raises(FlickError) as caught:
        names.display_name(text, field="server.display_name")

    assert (caught.value.kind, caught.value.violations[0].field) == (Kind.INVALID_ARGUMENT, "server.display_name")


@pytest.mark.parametrize("text", ["a@b", "Name.Last+tag@example.org", " a@b ", "사람@예시.한국", '"a@b"@c'])
def test_an_email_address_is_taken_as_it_is(text: str) -> None:
    assert names.email(text) == text.strip()


@pytest.mark.parametrize("text", ["", "a", "a@", "@a", "a b@c", "a\r\nb@c", "a" * 320 + "@b"])
def test_what_is_no_email_address_is_refused(text: str) -> None:
    with pytest.raises(FlickError) as caught:
        names.email(text)

    assert caught.value.violations[0].field == "email"


def test_a_password_is_the_same_from_every_keyboard() -> None:
    composed, decomposed = (unicodedata.normalize(form, "비밀번호é") for form in ("NFC", "NFD"))

    assert composed != decomposed
    assert names.password(composed) == names.password(decomposed)


@pytest.mark.parametrize("text", ["", "x" * 1025, "가" * 342])
def test_an_empty_or_overlong_password_is_refused(text: str) -> None:
    with pytest.raises(FlickError) as caught:
        names.password(text)

    assert caught.value.violations[0].field == "password"
    assert not text or text not in caught.value.public


def test_a_password_of_just_1024_bytes_is_taken() -> None:
    assert names.password("x" * 1024) == b"x" * 1024


@pytest.mark.parametrize("text", ["", "1234567"])
def test_a_new_password_needs_eight_characters(text: str) -> None:
    with pytest.raises(FlickError) as caught:
        names.new_password(text)

    assert caught.value.violations[0].field == "password"
