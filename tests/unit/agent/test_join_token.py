"""Join tokens are read by the agent as the floor makes them."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.enroll.join_token import parse_join_token
from agent.errors import AgentError
from flick import tokens
from flick.ids import new_id

FINGERPRINT = hashlib.sha256(b"a certificate").hexdigest()


def made(fingerprint: str = FINGERPRINT) -> str:
    return tokens.make_opaque(prefix=tokens.JOIN_TOKEN_PREFIX, token_id=new_id(), fingerprint=fingerprint).text


def test_the_agent_reads_what_the_floor_makes() -> None:
    text = made()
    token = parse_join_token(f" {text}\n")

    assert token.text == text
    assert token.fingerprint == FINGERPRINT


def test_a_token_of_a_public_authority_has_no_fingerprint() -> None:
    assert parse_join_token(made("none")).fingerprint == ""


def test_a_token_shows_no_secret() -> None:
    text = made()

    assert text.split("_")[2] not in repr(parse_join_token(text))


@given(data=st.data())
def test_agent_and_floor_agree_on_every_mistyped_token(data: st.DataObject) -> None:
    text = made()
    place = data.draw(st.integers(0, len(text) - 1))
    typed = text[:place] + data.draw(st.sampled_from("abc019_")) + text[place + data.draw(st.integers(0, 2)) :]
    floor = tokens.parse_opaque(typed, prefix=tokens.JOIN_TOKEN_PREFIX)
    try:
        agent = parse_join_token(typed)
    except AgentError:
        agent = None

    assert (agent is None) == (floor is None)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "flj_"),
        ("flk_a_b_c_d", "flj_"),
        ("flj_a_b", "checksum"),
        (made()[:-1], "checksum"),
        (made("short"), "fingerprint"),
    ],
    ids=["nothing", "an agent key", "too short", "cut off", "no fingerprint"],
)
def test_what_is_no_token_is_refused_with_the_fix(text: str, complaint: str) -> None:
    with pytest.raises(AgentError, match=complaint):
        parse_join_token(text)
