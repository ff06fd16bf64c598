"""Signing in and out, and staying signed in."""

import asyncio
import json
import stat
from dataclasses import replace

import pytest

from tests.integration.cli.command import User, at_terminal
from tests.integration.gateway.running import Gateway
from tests.integration.gateway.scripted import EMAIL, PASSWORD


async def test_signing_in_keeps_the_session_in_a_file_of_ones_own(user: User) -> None:
    outcome = await user.flick("login", "--email", EMAIL, "--password-stdin", stdin=PASSWORD + "\n")

    assert (outcome.code, outcome.out) == (0, f"Signed in at {user.url} as {EMAIL}.\n")
    assert stat.S_IMODE(user.credentials.stat().st_mode) == 0o600
    assert PASSWORD not in user.credentials.read_text()


async def test_the_password_is_asked_for_and_not_shown(user: User) -> None:
    async with at_terminal(user, "login") as terminal:
        await terminal.shows("E-mail address:")
        terminal.type(EMAIL + "\n")
        await terminal.shows("Password:")
        terminal.type(PASSWORD + "\n")
        await terminal.shows("Signed in at")
        code = await terminal.ends()

        assert code == 0
        assert PASSWORD not in terminal.text


async def test_a_wrong_password_is_told_in_a_sentence(user: User) -> None:
    outcome = await user.flick("login", "--email", EMAIL, "--password-stdin", stdin="guess\n")

    assert outcome.code == 3
    assert outcome.err.startswith("flick: E-mail address or password is wrong.")
    assert outcome.out == ""
    assert not user.credentials.exists()


async def test_without_a_terminal_nothing_is_asked(user: User) -> None:
    outcome = await user.flick("login", "--email", EMAIL)

    assert outcome.code == 2
    assert "--password-stdin" in outcome.err


async def test_who_is_signed_in(signed_in: User) -> None:
    words = await signed_in.flick("whoami")
    data = await signed_in.flick("whoami", "--json")

    assert words.out == f"{EMAIL} at {signed_in.url}\n  owner of Ada's\n"
    assert json.loads(data.out)["email"] == EMAIL


@pytest.mark.parametrize("arguments", [["whoami"], ["servers", "ls"], ["join-tokens", "create"], ["top", "--json"]])
async def test_a_command_of_somebody_not_signed_in_ends_with_3_and_says_how(user: User, arguments: list[str]) -> None:
    outcome = await user.flick(*arguments)

    assert outcome.code == 3
    assert outcome.err == f"flick: You are not signed in at {user.url}. Run `flick login --url {user.url}`.\n"


async def test_signing_out_ends_the_session_there_and_here(signed_in: User, gateway: Gateway) -> None:
    outcome = await signed_in.flick("logout")
    after = await signed_in.flick("whoami")

    assert outcome.code == 0
    assert len(gateway.backends.accounts.ended) == 1
    assert after.code == 3
    assert "flr_" not in signed_in.credentials.read_text()


async def test_signing_out_twice_is_no_error(signed_in: User) -> None:
    await signed_in.flick("logout")
    outcome = await signed_in.flick("logout", "--json")

    assert outcome.code == 0
    assert json.loads(outcome.out)["signedOut"] is False


async def test_a_token_that_ends_soon_is_renewed_silently(signed_in: User, gateway: Gateway) -> None:
    gateway.backends.accounts.access.clear()
    _age(signed_in)
    outcome = await signed_in.flick("whoami")

    assert (outcome.code, outcome.err) == (0, "")
    assert gateway.backends.accounts.refreshes == 1


async def test_a_token_refused_before_its_time_is_renewed_too(signed_in: User, gateway: Gateway) -> None:
    gateway.backends.accounts.access.clear()
    outcome = await signed_in.flick("whoami")

    assert outcome.code == 0
    assert gateway.backends.accounts.refreshes == 1


async def test_commands_that_run_at_once_use_a_refresh_token_only_once(signed_in: User, gateway: Gateway) -> None:
    _age(signed_in)
    outcomes = await asyncio.gather(*(signed_in.flick("whoami") for _ in range(6)))

    assert [outcome.code for outcome in outcomes] == [0] * 6
    assert gateway.backends.accounts.refreshes == 1
    assert gateway.backends.accounts.ended == set()


async def test_an_ended_session_is_told_and_how_to_mend_it(signed_in: User, gateway: Gateway) -> None:
    gateway.backends.accounts.refresh.clear()
    _age(signed_in)
    outcome = await signed_in.flick("whoami")

    assert outcome.code == 3
    assert "the session has ended" in outcome.err
    assert "flick login" in outcome.err


async def test_a_gateway_that_does_not_answer_is_named(signed_in: User) -> None:
    gone = replace(signed_in, url="http://127.0.0.1:1")
    outcome = await gone.flick("login", "--email", EMAIL, "--password-stdin", stdin=PASSWORD + "\n")

    assert outcome.code == 1
    assert outcome.err.startswith("flick: http://127.0.0.1:1 does not answer (Connection refused).")
    assert "flick up" in outcome.err


async def test_several_installations_are_kept_apart_and_the_last_login_counts(signed_in: User) -> None:
    other = signed_in.url.replace("127.0.0.1", "localhost")
    await signed_in.flick("login", "--url", other, "--email", EMAIL, "--password-stdin", stdin=PASSWORD + "\n")
    last = await signed_in.flick("whoami", FLICK_URL="")
    named = await signed_in.flick("whoami", "--url", signed_in.url)

    assert other in last.out
    assert signed_in.url in named.out


async def test_a_broken_credentials_file_is_named(user: User) -> None:
    user.credentials.write_text("{")
    outcome = await user.flick("whoami")

    assert outcome.code == 1
    assert str(user.credentials) in outcome.err


def _age(user: User) -> None:
    """Make the access token one that ends within the minute."""
    document = json.loads(user.credentials.read_text())
    document["installations"][user.url]["expire_time_s"] -= 870
    user.credentials.write_text(json.dumps(document))
