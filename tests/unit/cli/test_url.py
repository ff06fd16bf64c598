"""Addresses of gateways as people type them."""

import pytest

from flick.cli.failure import CliError, ExitCode
from flick.cli.url import checked_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://flick.example/", "https://flick.example"),
        ("https://flick.example:8443", "https://flick.example:8443"),
        (" http://127.0.0.1:8080 ", "http://127.0.0.1:8080"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_an_address_is_brought_into_one_form(text: str, url: str) -> None:
    assert checked_url(text) == url


@pytest.mark.parametrize(
    "text", ["", "flick.example", "ftp://x", "https://", "https://a/b", "https://a?b", "https://a:99999", "http://a:b"]
)
def test_what_is_no_address_is_wrong_usage(text: str) -> None:
    with pytest.raises(CliError) as refused:
        checked_url(text)

    assert refused.value.code is ExitCode.USAGE


def test_secrets_do_not_travel_in_clear() -> None:
    with pytest.raises(CliError, match="in clear"):
        checked_url("http://flick.example")
