import pytest

from gateway.http.origin import OriginPolicy

POLICY = OriginPolicy(allowed=["https://board.example", "http://dev.example:5173/"])


@pytest.mark.parametrize(
    ("origin", "scheme", "host"),
    [
        (None, "http", "flick.example"),
        ("http://flick.example", "http", "flick.example"),
        ("http://flick.example", "ws", "flick.example:80"),
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
        "https://flick.example",  # another scheme
        "http://flick.example:8080",  # another port
        "http://flick.example.evil.example",
        "http://evil.example/flick.example",
        "http://flick.example@evil.example",
        "http://user@flick.example",
        "http://board.example",
        "https://board.example:444",
        "file://flick.example",
        "http://flick.example:99999",
    ],
)
def test_everything_else_is_foreign(origin: str) -> None:
    assert not POLICY.admits(origin, scheme="http", host="flick.example")
