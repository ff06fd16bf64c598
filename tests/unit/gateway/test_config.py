"""The gateway refuses settings that would expose it."""

from pathlib import Path

import pytest

from flick.config import ConfigError, load
from gateway.config import GatewayConfig

NEEDED = {
    "FLICK_GATEWAY_LISTEN": "127.0.0.1:8080",
    "FLICK_AUTH_ADDRESS": "127.0.0.1:1",
    "FLICK_QUERY_ADDRESS": "127.0.0.1:2",
    "FLICK_INGEST_ADDRESS": "127.0.0.1:3",
}


def test_four_addresses_are_all_it_needs() -> None:
    config = load(GatewayConfig, environ=NEEDED)

    assert config.own_origins == ()


def test_the_public_address_is_an_own_origin() -> None:
    more = {"FLICK_PUBLIC_URL": "https://flick.example/", "FLICK_GATEWAY_ALLOWED_ORIGINS": "https://a, https://b"}
    config = load(GatewayConfig, environ={**NEEDED, **more})

    assert config.own_origins == ("https://a", "https://b", "https://flick.example")


@pytest.mark.parametrize("listen", ["0.0.0.0:8080", "192.0.2.1:8080", "[::]:8080", "flick.example:80"])
def test_plain_http_off_loopback_is_refused_naming_the_settings(listen: str) -> None:
    with pytest.raises(ConfigError, match=r"FLICK_GATEWAY_LISTEN.*FLICK_GATEWAY_TLS_CERT_FILE"):
        load(GatewayConfig, environ={**NEEDED, "FLICK_GATEWAY_LISTEN": listen})


@pytest.mark.parametrize("listen", ["8080", ":8080", "localhost", "localhost:http", "localhost:70000"])
def test_an_address_that_is_none_is_refused(listen: str) -> None:
    with pytest.raises(ConfigError, match=r"FLICK_GATEWAY_LISTEN: .* write host:port"):
        load(GatewayConfig, environ={**NEEDED, "FLICK_GATEWAY_LISTEN": listen})


def test_half_a_key_pair_is_refused() -> None:
    with pytest.raises(ConfigError, match="belong together"):
        load(GatewayConfig, environ={**NEEDED, "FLICK_GATEWAY_TLS_CERT_FILE": "a"})


def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    pair = {"FLICK_GATEWAY_TLS_CERT_FILE": str(tmp_path / "c"), "FLICK_GATEWAY_TLS_KEY_FILE": str(tmp_path / "k")}
    with pytest.raises(ConfigError, match=r"FLICK_GATEWAY_TLS_CERT_FILE is .* no such file"):
        load(GatewayConfig, environ={**NEEDED, **pair})
