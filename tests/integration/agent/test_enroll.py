"""Joining: a token is spent only where it belongs, and never in clear."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from agent.enroll.enroll import enroll
from agent.enroll.gateway import Gateway
from agent.errors import AgentError
from agent.host import this_host
from agent.identity import Identity
from flick import tokens
from flick.clock import SystemClock
from flick.ids import new_id
from tests.integration.agent.certificates import DAY, Authority, Issued
from tests.integration.agent.ingest import ScriptedIngest, Visit, serving
from tests.integration.agent.web import Answer, Site, web

BUNDLE, ENROLL = "GET /api/v1/trust-bundle", "POST /api/v1/servers:enroll"


def token(fingerprint: str) -> str:
    return tokens.make_opaque(prefix=tokens.JOIN_TOKEN_PREFIX, token_id=new_id(), fingerprint=fingerprint).text


def grant(authority: Authority) -> Answer:
    return Answer(
        body={
            "server": {"serverId": "s1", "displayName": "web", "later": True},
            "agentKey": "flk_key",
            "ingestAddress": "ingest.example:9443",
            "trustBundle": {"caPem": authority.pem},
        }
    )


@pytest.fixture
def site(authority: Authority, tls: Issued) -> Iterator[Site]:
    """A gateway that lets servers join."""
    with web(tls=tls) as running:
        running.answers = {BUNDLE: Answer(body={"caPem": authority.pem}), ENROLL: grant(authority)}
        yield running


def join(url: str, text: str) -> Identity:
    gateway = Gateway(url=url, clock=SystemClock(), timeout_s=3.0)
    return enroll(gateway=gateway, token=text, host=this_host(), version="1.2.3")


def tokens_sent(site: Site) -> list[str]:
    return [json.loads(body)["token"] for place, body in site.requests if place == ENROLL]


def test_a_token_becomes_an_identity(site: Site, authority: Authority) -> None:
    text = token(authority.fingerprint)
    found = join(f"https://{site.address}/", text)
    asked = json.loads(site.requests[-1][1])

    assert found == Identity(
        server_id="s1", agent_key="flk_key", ingest_address="ingest.example:9443", ca_pem=authority.pem
    )
    assert [place for place, _ in site.requests] == [BUNDLE, ENROLL]
    assert asked["token"] == text
    assert asked["agentVersion"] == "1.2.3"
    assert asked["host"]["hostname"] == this_host().hostname


def test_a_path_before_the_api_is_kept(site: Site, authority: Authority) -> None:
    site.answers = {place.replace(" ", " /flick"): answer for place, answer in site.answers.items()}

    assert join(f"https://{site.address}/flick", token(authority.fingerprint)).server_id == "s1"


def test_another_installation_never_sees_the_token(site: Site) -> None:
    with pytest.raises(AgentError, match="fingerprint"):
        join(f"https://{site.address}", token(Authority().fingerprint))
    assert tokens_sent(site) == []


def test_an_impostor_that_shows_the_right_authority_never_sees_the_token(authority: Authority) -> None:
    with web(tls=Authority().issue()) as impostor:
        impostor.answers = {BUNDLE: Answer(body={"caPem": authority.pem}), ENROLL: grant(authority)}
        with pytest.raises(AgentError, match="does not trust"):
            join(f"https://{impostor.address}", token(authority.fingerprint))

    assert tokens_sent(impostor) == []
    assert [place for place, _ in impostor.requests] == [BUNDLE]


def test_an_impostor_among_several_authorities_is_not_trusted_either(authority: Authority) -> None:
    other = Authority()
    with web(tls=other.issue()) as impostor:
        impostor.answers = {BUNDLE: Answer(body={"caPem": other.pem + authority.pem}), ENROLL: grant(authority)}
        with pytest.raises(AgentError, match="does not trust"):
            join(f"https://{impostor.address}", token(authority.fingerprint))

    assert tokens_sent(impostor) == []


def test_with_a_public_authority_the_systems_authorities_decide(site: Site) -> None:
    with pytest.raises(AgentError, match="does not trust"):
        join(f"https://{site.address}", token("none"))
    assert site.requests == []


def test_a_certificate_for_another_name_is_refused(authority: Authority) -> None:
    with web(tls=authority.issue("flick.example")) as other:
        other.answers = {BUNDLE: Answer(body={"caPem": authority.pem}), ENROLL: grant(authority)}
        with pytest.raises(AgentError, match=r"is for flick\.example, not for 127\.0\.0\.1"):
            join(f"https://{other.address}", token(authority.fingerprint))

    assert tokens_sent(other) == []


def test_a_mistyped_token_is_not_even_shown_to_the_network(site: Site, authority: Authority) -> None:
    with pytest.raises(AgentError, match="checksum"):
        join(f"https://{site.address}", token(authority.fingerprint)[:-1])
    assert site.requests == []


def test_plain_http_beyond_this_machine_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(AgentError, match="https://"):
        join("http://192.0.2.1:8080", token("0" * 64))


def test_plain_http_on_this_machine_is_fine(authority: Authority) -> None:
    with web(tls=None) as local:
        local.answers = {BUNDLE: Answer(body={"caPem": authority.pem}), ENROLL: grant(authority)}

        assert join(f"http://{local.address}", token(authority.fingerprint)).server_id == "s1"


def test_an_expired_token_is_told_in_the_gateways_words(site: Site, authority: Authority) -> None:
    site.answers[ENROLL] = Answer(401, {"code": 16, "message": "The join token has expired. Make a new one."})

    with pytest.raises(AgentError, match=r"401: The join token has expired\. Make a new one\."):
        join(f"https://{site.address}", token(authority.fingerprint))


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (Answer(404, "nothing"), "no FLick at this address"),
        (Answer(200, "<html>"), "no FLick"),
        (Answer(302, "", {"Location": "https://elsewhere/"}), "moved to https://elsewhere/"),
        (Answer(500, "[]"), "500: Internal Server Error"),
        (Answer(200, {"caPem": ""}), "fingerprint"),
        (Answer(200, {"caPem": "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"}), "fingerprint"),
    ],
)
def test_what_is_no_gateway_is_told_apart(site: Site, authority: Authority, answer: Answer, complaint: str) -> None:
    site.answers[BUNDLE] = answer

    with pytest.raises(AgentError, match=complaint):
        join(f"https://{site.address}", token(authority.fingerprint))
    assert tokens_sent(site) == []


def test_a_grant_without_a_key_is_no_grant(site: Site, authority: Authority) -> None:
    site.answers[ENROLL] = Answer(body={"server": {"serverId": "s1"}})

    with pytest.raises(AgentError, match="no agent key"):
        join(f"https://{site.address}", token(authority.fingerprint))


def test_https_on_a_plaintext_port_is_said(authority: Authority) -> None:
    with web(tls=None) as plain, pytest.raises(AgentError, match="does not speak TLS"):
        join(f"https://{plain.address}", token(authority.fingerprint))


def test_http_on_a_tls_port_is_said(site: Site, authority: Authority) -> None:
    with pytest.raises(AgentError, match="write https://"):
        join(f"http://{site.address}", token(authority.fingerprint))
    assert tokens_sent(site) == []


async def test_a_grpc_port_is_not_taken_for_the_gateway(authority: Authority, tls: Issued) -> None:
    async with serving(ScriptedIngest(Visit.until_gone), tls=tls) as address:
        with pytest.raises(AgentError, match=address):
            await asyncio.to_thread(join, f"https://{address}", token(authority.fingerprint))


def test_a_name_that_is_not_resolved_is_said() -> None:
    with pytest.raises(AgentError, match="can't be resolved"):
        join("https://no-such-host.invalid", token("0" * 64))


@pytest.mark.parametrize("url", ["", "flick", "ftp://a", "https://", "https://a:0", "https://a:99999", "https://a/?b"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(AgentError, match="https://host:port"):
        join(url, token("0" * 64))


def test_a_clock_that_is_off_is_told_by_the_gateways_date(site: Site, authority: Authority) -> None:
    there = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    site.answers[BUNDLE] = Answer(body={"caPem": authority.pem}, headers={"Date": there})
    site.answers[ENROLL] = Answer(body=grant(authority).body, headers={"Date": there})
    gateway = Gateway(url=f"https://{site.address}", clock=SystemClock())
    enroll(gateway=gateway, token=token(authority.fingerprint), host=this_host(), version="1")

    assert any(f"{seconds} s behind FLick's" in gateway.clock_warning for seconds in range(596, 602))


def test_a_certificate_not_valid_yet_and_a_wrong_clock_are_told_together(authority: Authority) -> None:
    ahead = datetime.now(UTC) + timedelta(days=3)
    with web(tls=authority.issue(begins_in=2 * DAY, ends_in=9 * DAY)) as future:
        date = {"Date": format_datetime(ahead, usegmt=True)}
        future.answers = {BUNDLE: Answer(body={"caPem": authority.pem}, headers=date)}
        with pytest.raises(AgentError, match="is valid from") as raised:
            join(f"https://{future.address}", token(authority.fingerprint))

    assert "s behind FLick's" in str(raised.value)
