"""Passwords, signing keys, services' secrets and the certificate authority, as files and hashes."""

import asyncio
import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest
from argon2 import Type, extract_parameters
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from flick.config import ConfigError
from flick.errors import FlickError, Kind
from services.auth.credentials import passwords as subject
from services.auth.credentials.passwords import MAX_WAITING, PARALLEL, Passwords
from services.auth.credentials.service_secrets import AUDIENCES, load_service_secrets, may_call
from services.auth.credentials.signing import load_signing_keys
from services.auth.credentials.trust import load_trust_anchor


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(PARALLEL) as threads:
        yield threads


async def test_a_hash_knows_its_password_and_no_other(executor: Executor) -> None:
    passwords = Passwords(executor=executor)
    hashed = await passwords.hash(b"right")

    assert await passwords.verify(hashed, b"right")
    assert not await passwords.verify(hashed, b"wrong")
    assert not await passwords.verify(None, b"right")


async def test_the_hash_of_nothing_costs_what_a_real_one_costs(executor: Executor) -> None:
    real = extract_parameters(await Passwords(executor=executor).hash(b"x"))
    nothing = extract_parameters(subject._HASH_OF_NOTHING)

    assert real == nothing
    assert (real.type, real.memory_cost, real.time_cost, real.parallelism) == (Type.ID, 19_456, 2, 1)


async def test_beyond_a_bounded_line_callers_are_sent_away(executor: Executor) -> None:
    passwords = Passwords(executor=executor)
    gate = threading.Event()
    for _ in range(PARALLEL):
        executor.submit(gate.wait)
    waiting = [asyncio.ensure_future(passwords.verify(None, b"x")) for _ in range(PARALLEL + MAX_WAITING)]
    await asyncio.sleep(0)

    with pytest.raises(FlickError) as caught:
        await passwords.verify(None, b"x")
    gate.set()
    answers = await asyncio.gather(*waiting)

    assert (caught.value.kind, caught.value.retry_after_s) == (Kind.RESOURCE_EXHAUSTED, 1.0)
    assert answers == [False] * len(waiting)
    assert not await passwords.verify(None, b"x")  # the line is free again


def test_an_empty_folder_gets_a_key_that_the_next_start_finds(tmp_path: Path) -> None:
    first = load_signing_keys(tmp_path / "keys")
    second = load_signing_keys(tmp_path / "keys")

    [path] = (tmp_path / "keys").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert first.signer.key_id == second.signer.key_id == path.stem


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        loaded = list(threads.map(load_signing_keys, [tmp_path / "keys"] * 8))

    assert len({keys.signer.key_id for keys in loaded}) == 1


def test_a_file_that_holds_no_ed25519_key_is_named(tmp_path: Path) -> None:
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for text in (b"", b"no key", rsa_key):
        (tmp_path / "0001.pem").write_bytes(text)

        with pytest.raises(ConfigError, match=r"FLICK_AUTH_SIGNING_KEYS_DIR: .*0001\.pem"):
            load_signing_keys(tmp_path)


def test_a_service_is_known_by_its_secret(tmp_path: Path) -> None:
    path = tmp_path / "secrets.toml"
    path.write_text(f'ingest = "{hashlib.sha256(b"right").hexdigest()}"\n')
    secrets = load_service_secrets(path)

    assert secrets.verify(service="ingest", secret="right")
    for service, secret in [("ingest", "wrong"), ("ingest", ""), ("query", "right"), ("query", ""), ("", "")]:
        assert not secrets.verify(service=service, secret=secret)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ingest =", "can't be read"),
        ('agent = "x"', "agent is no service"),
        ('ingest = "x"', "64 hex digits"),
        ("ingest = 7", "64 hex digits"),
        (f'ingest = "{"G" * 64}"', "64 hex digits"),
    ],
)
def test_a_file_of_secrets_that_is_wrong_says_where(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "secrets.toml").write_text(text)

    with pytest.raises(ConfigError, match=said):
        load_service_secrets(tmp_path / "secrets.toml")


def test_services_call_only_whom_they_have_business_with() -> None:
    assert {
        (service, audience)
        for service in AUDIENCES
        for audience in ("auth", "ingest", "query")
        if may_call(service=service, audience=audience)
    } == {("ingest", "auth"), ("query", "auth")}
    assert not may_call(service="gateway", audience="auth")


def test_without_a_file_there_is_no_authority_of_ones_own() -> None:
    anchor = load_trust_anchor(None)

    assert (anchor.ca_pem, anchor.fingerprint) == ("", "none")


@pytest.mark.parametrize(
    "content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_trust_bundle_without_certificate_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "ca.pem").write_text(content)

    with pytest.raises(ConfigError, match="FLICK_TRUST_BUNDLE_FILE"):
        load_trust_anchor(tmp_path / "ca.pem")
