"""The identity file: what may stand in it, and who may read it."""

import json
import os
from pathlib import Path

import pytest

from agent import identity
from agent.errors import AgentError
from agent.identity import Identity

KEY = "flk_key_secret_crc"
FULL = Identity(server_id="id", agent_key=KEY, ingest_address="127.0.0.1:1", ca_pem="pem")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "identity.json"
    identity.write(path, FULL)

    assert identity.read(path) == FULL
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["identity.json"]


def test_another_identity_replaces_the_first(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    path.write_text("something longer than what comes, and readable by all" * 50)
    path.chmod(0o644)
    identity.write(path, FULL)

    assert identity.read(path) == FULL
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_identity_shows_no_key() -> None:
    assert KEY not in repr(FULL)
    assert "127.0.0.1:1" in repr(FULL)


def test_keys_of_other_versions_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    document = {"server_id": "id", "agent_key": KEY, "ingest_address": "a:1", "spool_id": "s", "more": [1]}
    path.write_text(json.dumps(document))

    assert identity.read(path) == Identity(server_id="id", agent_key=KEY, ingest_address="a:1")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "no JSON"),
        ("[]", "no JSON object"),
        ("{}", "server_id is missing"),
        (json.dumps({"server_id": "i", "ingest_address": "a:1"}), "agent_key is missing"),
        (json.dumps({"server_id": 1, "agent_key": KEY, "ingest_address": "a:1"}), "server_id must be text"),
        (json.dumps({"server_id": "i", "agent_key": KEY, "ingest_address": "nowhere"}), "host:port"),
        (json.dumps({"server_id": "i", "agent_key": KEY, "ingest_address": "a:99999"}), "host:port"),
    ],
)
def test_a_broken_file_is_named_with_its_fault_and_without_the_key(
    tmp_path: Path, content: str, complaint: str
) -> None:
    path = tmp_path / "identity.json"
    path.write_text(content)

    with pytest.raises(AgentError, match=complaint) as raised:
        identity.read(path)
    assert KEY not in str(raised.value)


def test_a_missing_file_says_how_to_join(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="flick-agent enroll"):
        identity.read(tmp_path / "none.json")


def test_a_place_that_can_not_be_written_is_known_before_a_token_is_spent(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(AgentError, match="--identity"):
        identity.require_writable(file / "identity.json")
    with pytest.raises(AgentError, match="can't be written"):
        identity.write(file / "identity.json", FULL)


def test_root_keeps_it_below_var_lib_and_others_at_home() -> None:
    expected = "/var/lib/flick-agent/" if os.geteuid() == 0 else str(Path.home())

    assert str(identity.default_path()).startswith(expected)
