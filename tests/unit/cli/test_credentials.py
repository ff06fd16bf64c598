"""The credentials file: private, whole, one entry per installation."""

import stat
from pathlib import Path

import pytest

from flick.cli.credentials import Credential, CredentialStore
from flick.cli.failure import CliError

HERE = Credential(url="https://a.example", email="ada@example.org", refresh_token="r1")
THERE = Credential(url="https://b.example", email="ada@example.org", refresh_token="r2")


@pytest.fixture
def store(tmp_path: Path) -> CredentialStore:
    made = CredentialStore(path=tmp_path / "new" / "credentials.json")
    with made.lock():
        made.put(HERE)
        made.put(THERE, make_current=True)
    return made


def test_what_is_put_is_found_again(store: CredentialStore) -> None:
    assert store.get(HERE.url) == HERE
    assert store.get("https://c.example") is None


def test_the_file_and_its_folder_are_its_owners_own(store: CredentialStore) -> None:
    assert stat.S_IMODE(store._path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store._path.parent.stat().st_mode) == 0o700


def test_no_half_written_file_stays_behind(store: CredentialStore) -> None:
    assert {path.name for path in store._path.parent.iterdir()} == {"credentials.json", "credentials.json.lock"}


def test_the_last_login_is_current_until_it_is_removed(store: CredentialStore) -> None:
    assert store.current_url() == THERE.url
    with store.lock():
        store.remove(THERE.url)

    assert store.current_url() == HERE.url


def test_renewing_a_session_does_not_make_it_current(store: CredentialStore) -> None:
    with store.lock():
        store.put(HERE)

    assert store.current_url() == THERE.url


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"installations": {"https://a.example": {"email": "x", "unknown": 1}}}']
)
def test_a_file_that_is_broken_is_named(store: CredentialStore, content: str) -> None:
    store._path.write_text(content)
    with pytest.raises(CliError, match=str(store._path)):
        store.get(HERE.url)
