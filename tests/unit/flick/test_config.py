"""Settings come from the environment and a file; a wrong one is named with its fix."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from flick.config import REGISTRY, ConfigError, load, setting


@dataclass(frozen=True, kw_only=True)
class Config:
    listen: str = setting("FLICK_INGEST_LISTEN")
    workers: int = setting("FLICK_INGEST_WORKERS", default=1)
    certificate: Path | None = setting("FLICK_INGEST_TLS_CERT_FILE", default=None)
    origins: tuple[str, ...] = setting("FLICK_GATEWAY_ALLOWED_ORIGINS", default=())


def test_settings_are_parsed_by_the_type_of_their_field() -> None:
    environ = {
        "FLICK_INGEST_LISTEN": "127.0.0.1:1",
        "FLICK_INGEST_WORKERS": "3",
        "FLICK_INGEST_TLS_CERT_FILE": "/a/b",
        "FLICK_GATEWAY_ALLOWED_ORIGINS": "https://a, https://b",
    }

    assert load(Config, environ=environ) == Config(
        listen="127.0.0.1:1", workers=3, certificate=Path("/a/b"), origins=("https://a", "https://b")
    )


def test_a_missing_setting_is_named_with_its_meaning() -> None:
    with pytest.raises(ConfigError, match=r"FLICK_INGEST_LISTEN is not set\. Where ingest serves gRPC"):
        load(Config, environ={})


def test_a_misspelt_name_is_an_error_that_offers_the_right_one() -> None:
    with pytest.raises(ConfigError, match=r"FLICK_INGEST_LISTNE .* Did you mean FLICK_INGEST_LISTEN\?"):
        load(Config, environ={"FLICK_INGEST_LISTNE": "x"})


def test_settings_of_other_parts_may_share_the_environment() -> None:
    environ = {"FLICK_INGEST_LISTEN": "127.0.0.1:1", "FLICK_QUERY_LISTEN": "127.0.0.1:2"}

    assert load(Config, environ=environ).listen == "127.0.0.1:1"


def test_a_malformed_number_names_the_setting() -> None:
    with pytest.raises(ConfigError, match=r"FLICK_INGEST_WORKERS is 'many', but must be of type int"):
        load(Config, environ={"FLICK_INGEST_LISTEN": "x", "FLICK_INGEST_WORKERS": "many"})


def test_the_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "flick.toml"
    file.write_text('ingest_listen = "127.0.0.1:1"\ningest_workers = 2\n')
    environ = {"FLICK_CONFIG": str(file), "FLICK_INGEST_WORKERS": "4"}

    assert load(Config, environ=environ) == Config(listen="127.0.0.1:1", workers=4)


def test_a_misspelt_key_in_the_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "flick.toml"
    file.write_text('ingest_lissen = "x"\n')

    with pytest.raises(ConfigError, match="FLICK_INGEST_LISSEN"):
        load(Config, environ={"FLICK_CONFIG": str(file)})


def test_every_known_name_has_a_sentence() -> None:
    assert all(name.startswith("FLICK_") and text.endswith((".", "1.")) for name, text in REGISTRY.items())
