"""Addresses are taken apart and put together in one way."""

import pytest

from flick.address import is_local, join, split


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("localhost:80", "localhost", 80), ("127.0.0.1:0", "127.0.0.1", 0), ("[::1]:65535", "::1", 65535)],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert split(text) == (host, port)
    assert join(host, port) == text


@pytest.mark.parametrize(
    "text", ["", "80", ":80", "localhost", "localhost:", "localhost:http", "a:65536", "a:-1", "a:٣"]
)
def test_what_is_no_address_is_refused_with_the_fix(text: str) -> None:
    with pytest.raises(ValueError, match="write host:port"):
        split(text)


@pytest.mark.parametrize(
    ("text", "local"),
    [("unix:/run/a", True), ("localhost:1", True), ("[::1]:1", True), ("127.9.9.9:1", True), ("192.0.2.1:1", False)],
)
def test_only_sockets_and_loopback_stay_on_this_machine(text: str, local: bool) -> None:
    assert is_local(text) is local
