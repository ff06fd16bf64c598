"""Which certificate authority the command trusts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.local.certificates import Certificates, ensure_certificates
from tests.integration.cli.command import Terminal, User, at_terminal
from tests.integration.gateway.running import Gateway, run_gateway, watching
from tests.integration.gateway.scripted import EMAIL, PASSWORD, Backends


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return ensure_certificates(directory=tmp_path / "tls", names=[], now=datetime.now(UTC))


@asynccontextmanager
async def installation(
    backends: Backends, certificates: Certificates, home: Path
) -> AsyncIterator[tuple[User, Gateway]]:
    backends.enrollment.ca_pem = certificates.authority_file.read_text()
    async with run_gateway(backends, certificates=certificates) as gateway:
        yield User(home=home, url=gateway.url), gateway


async def login(user: User, *arguments: str) -> tuple[int, str]:
    outcome = await user.flick("login", "--email", EMAIL, "--password-stdin", *arguments, stdin=PASSWORD + "\n")
    return outcome.code, outcome.err


async def answer(terminal: Terminal, reply: str) -> None:
    await terminal.shows("Trust it from now on?")
    terminal.type(reply + "\n")


async def test_an_authority_given_as_file_is_trusted_from_then_on(
    backends: Backends, certificates: Certificates, tmp_path: Path
) -> None:
    async with installation(backends, certificates, tmp_path) as (user, gateway):
        first = await login(user, "--ca", str(certificates.authority_file))
        later = await user.flick("whoami")
        async with at_terminal(user, "top", "web-1") as terminal:
            await watching(gateway, 1)
            await terminal.shows("live")

    assert first == (0, "")
    assert later.code == 0


async def test_an_unknown_authority_is_refused_before_anything_secret_is_sent(
    backends: Backends, certificates: Certificates, tmp_path: Path
) -> None:
    async with installation(backends, certificates, tmp_path) as (user, _):
        code, words = await login(user)

    assert code == 1
    assert "--ca FILE" in words
    assert backends.accounts.refresh == {}


async def test_a_person_may_trust_it_by_its_fingerprint(
    backends: Backends, certificates: Certificates, tmp_path: Path
) -> None:
    pairs = ":".join(certificates.fingerprint[index : index + 2] for index in range(0, 64, 2))
    async with (
        installation(backends, certificates, tmp_path) as (user, _),
        at_terminal(user, "login", "--email", EMAIL) as terminal,
    ):
        await terminal.shows(pairs)
        await answer(terminal, "y")
        await terminal.shows("Password:")
        terminal.type(PASSWORD + "\n")
        code = await terminal.ends()
        later = await user.flick("whoami")

    assert code == 0
    assert later.code == 0


async def test_a_person_who_does_not_trust_it_sends_nothing(
    backends: Backends, certificates: Certificates, tmp_path: Path
) -> None:
    async with (
        installation(backends, certificates, tmp_path) as (user, _),
        at_terminal(user, "login", "--email", EMAIL) as terminal,
    ):
        await answer(terminal, "n")
        await terminal.shows("Nothing was sent")
        code = await terminal.ends()

    assert code == 1
    assert backends.accounts.refresh == {}


async def test_a_gateway_that_shows_another_authority_than_its_own_is_refused_even_at_a_terminal(
    backends: Backends, certificates: Certificates, tmp_path: Path
) -> None:
    other = ensure_certificates(directory=tmp_path / "other", names=[], now=datetime.now(UTC))
    async with installation(backends, certificates, tmp_path) as (user, _):
        backends.enrollment.ca_pem = other.authority_file.read_text()
        async with at_terminal(user, "login", "--email", EMAIL) as terminal:
            await terminal.shows("--ca FILE")

            assert await terminal.ends() == 1


async def test_a_pinned_installation_with_another_authority_is_refused(
    backends: Backends, certificates: Certificates, tmp_path: Path
) -> None:
    async with installation(backends, certificates, tmp_path) as (user, gateway):
        await login(user, "--ca", str(certificates.authority_file))
        address = gateway.address
    other = ensure_certificates(directory=tmp_path / "other", names=[], now=datetime.now(UTC))
    async with run_gateway(backends, certificates=other, listen=address):
        outcome = await user.flick("whoami")

    assert outcome.code == 1
    assert "is not trusted here" in outcome.err


async def test_a_file_that_is_no_certificate_is_wrong_usage(
    backends: Backends, certificates: Certificates, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    async with installation(backends, certificates, tmp_path) as (user, _):
        code, words = await login(user, "--ca", str(wrong))

    assert code == 2
    assert "no certificate in PEM" in words


async def test_plain_http_to_another_machine_is_refused(tmp_path: Path) -> None:
    user = User(home=tmp_path, url="http://192.0.2.1:8080")
    code, words = await login(user)

    assert code == 2
    assert "in clear" in words
