"""Opaque keys and signed tokens: good ones are read, every other one is refused."""

import base64
import hashlib
import hmac
import json
import time
import uuid

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from flick import tokens
from flick.errors import FlickError, Kind
from flick.ids import new_id, parse_id

KEY = Ed25519PrivateKey.generate()
KEYS = {"k1": KEY.public_key()}
SIGNER = tokens.Signer(key=KEY, key_id="k1")


def sign(**changes: object) -> str:
    now = int(time.time())
    until = now + 3600  # the tokens below are signed when tests are collected, minutes before they are checked
    claims = {"iss": tokens.ISSUER, "sub": "u", "aud": tokens.USER_AUDIENCE, "iat": now, "nbf": now, "exp": until}
    claims.update({name: value for name, value in changes.items() if value is not None})
    for name in [name for name, value in changes.items() if value is None]:
        del claims[name]
    return jwt.encode(claims, KEY, algorithm="EdDSA", headers={"kid": "k1", "typ": tokens.ACCESS_TOKEN_TYPE})


def check(token: str) -> tokens.Claims:
    return tokens.verify(token, keys=KEYS, audience=tokens.USER_AUDIENCE, token_type=tokens.ACCESS_TOKEN_TYPE)


def with_header(**header: object) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    _, claims, signature = sign().split(".")
    return f"{part({'alg': 'EdDSA', 'kid': 'k1', 'typ': tokens.ACCESS_TOKEN_TYPE, **header})}.{claims}.{signature}"


def signed_by_hmac(secret: bytes) -> str:
    body = with_header(alg="HS256").rpartition(".")[0]
    signature = hmac.new(secret, body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_a_signed_token_tells_who_it_is_for() -> None:
    token = SIGNER.sign(
        subject="u", audience=tokens.USER_AUDIENCE, token_type=tokens.ACCESS_TOKEN_TYPE, lifetime_s=60, session="s"
    )

    assert (check(token).subject, check(token).session) == ("u", "s")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "a.b.c",
        sign(iss="someone"),
        sign(aud="query"),
        sign(exp=None),
        sign(sub=None),
        sign(iat=None),
        sign(nbf=int(time.time()) + 3600),
        sign()[:-4] + "AAAA",
        with_header(alg="none"),
        with_header(alg="HS256"),
        with_header(kid="../../etc/passwd"),
        with_header(kid="other"),
        with_header(typ=tokens.SERVICE_TOKEN_TYPE),
        with_header(crit=["exp"]),
        with_header(jku="https://example.org/keys"),
        with_header(jwk={"kty": "OKP"}),
        "x" * (tokens.MAX_TOKEN_BYTES + 1),
        signed_by_hmac(b""),
        signed_by_hmac(KEYS["k1"].public_bytes_raw()),
        with_header(alg="none").rpartition(".")[0] + ".",
    ],
)
def test_whatever_is_wrong_with_a_token_the_answer_is_the_same(token: str) -> None:
    with pytest.raises(FlickError) as refusal:
        check(token)

    assert (refusal.value.kind, refusal.value.public) == (
        Kind.UNAUTHENTICATED,
        "The token is not valid. Sign in again.",
    )


def test_an_expired_token_says_so() -> None:
    with pytest.raises(FlickError) as refusal:
        check(sign(exp=int(time.time()) - tokens.CLOCK_LEEWAY_S - 1))

    assert refusal.value.reason == "TOKEN_EXPIRED"


def test_an_opaque_key_is_read_back_as_it_was_made() -> None:
    made = tokens.make_opaque(prefix="flj", token_id=new_id(), fingerprint="ab12")

    assert tokens.parse_opaque(made.text, prefix="flj") == made


def test_two_keys_never_share_a_secret() -> None:
    made = {tokens.make_opaque(prefix="flk", token_id=uuid.UUID(int=1)).secret for _ in range(100)}

    assert len(made) == 100


@given(position=st.integers(0, 200), replacement=st.characters(codec="ascii"))
def test_a_key_with_any_letter_changed_is_no_key(position: int, replacement: str) -> None:
    text = tokens.make_opaque(prefix="flk", token_id=new_id()).text
    position %= len(text)
    if text[position] == replacement:
        replacement = "!"
    changed = text[:position] + replacement + text[position + 1 :]

    assert tokens.parse_opaque(changed, prefix="flk") is None


@given(st.text(max_size=200))
def test_no_text_makes_the_parser_fail(text: str) -> None:
    assert tokens.parse_opaque(text, prefix="flk") is None


def test_ids_are_in_the_order_of_their_making_and_of_version_seven() -> None:
    first = new_id()
    time.sleep(0.002)
    second = new_id()

    assert first < second
    assert {first.version, second.version} == {7}


def test_only_the_canonical_form_of_an_id_is_read() -> None:
    made = new_id()

    assert parse_id(str(made)) == made
    assert parse_id(made.hex) is None
    assert parse_id(f"{{{made}}}") is None
    assert parse_id("") is None
