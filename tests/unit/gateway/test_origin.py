"""Which web origins are let in."""

import pytest

from gateway.http.origin import OriginPolicy

POLICY = OriginPolicy(allowed=["https://board.example", "http://dev.example:5173/"])


@pytest.mark.parametrize(
    ("origin", "scheme", "host"),
    [
        (None, "http", "flick.example"),
        ("http://localhost:8080", "http", "localhost:8080"),
        ("http://192.168.1.7", "ws", "192.168.1.7:80"),
        ("https://flick.example", "wss", "flick.example"),
        ("https://FLICK.example:443", "https", "flick.example"),
        ("http://[::1]:8080", "http", "[::1]:8080"),
        ("https://board.example", "http", "anything"),
        ("http://dev.example:5173", "http", "anything"),
    ],
)
def test_own_allowed_and_missing_origins_pass(origin: str | None, scheme: str, host: str) -> None:
    assert POLICY.admits(origin, scheme=scheme, host=host)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "flick.example",
        "http://flick.example",  # another scheme
        "https://flick.example:8080",  # another port
        "https://flick.example.evil.example",
        "https://evil.example/flick.example",
        "https://flick.example@evil.example",
        "https://user@flick.example",
        "http://board.example",
        "https://board.example:444",
        "file://flick.example",
        "https://flick.example:99999",
    ],
)
def test_everything_else_is_foreign(origin: str) -> None:
    assert not POLICY.admits(origin, scheme="https", host="flick.example")


def test_a_name_without_tls_is_foreign_unless_it_is_allowed() -> None:
    name = {"scheme": "http", "host": "flick.example:8080"}

    assert not POLICY.admits("http://flick.example:8080", **name)
    assert OriginPolicy(allowed=["http://flick.example:8080"]).admits("http://flick.example:8080", **name)
