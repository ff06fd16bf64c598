"""Who calls: signed tokens and every way to forge one, services and their secrets, the public keys."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from flick import tokens
from flick.errors import Kind
from flick.ids import new_id
from flick.v1 import access_pb2, auth_pb2
from services.auth.credentials.signing import load_signing_keys
from tests.integration.auth.house import AuthHouse, Person, bearer, refusal

ME = auth_pb2.GetMeRequest()


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Forger:
    """Makes tokens as somebody would who knows the public key and, to be sure, even the signing key."""

    def __init__(self, *, house: AuthHouse, user_id: str) -> None:
        self.key = house.signer.key
        self.key_id = house.signer.key_id
        self.public_pem = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        now = int(time.time())
        self.claims: dict[str, Any] = {
            "iss": tokens.ISSUER,
            "sub": user_id,
            "aud": tokens.USER_AUDIENCE,
            "iat": now,
            "nbf": now,
            "exp": now + 600,
        }
        self.header: dict[str, Any] = {"alg": "EdDSA", "typ": tokens.ACCESS_TOKEN_TYPE, "kid": self.key_id}

    def signed(self, header: Any = None, /, *, key: Any = None, **claims: Any) -> str:
        """A token with a true signature over whatever it says."""
        said = {name: value for name, value in {**self.claims, **claims}.items() if value is not None}
        return self._assemble({**self.header, **(header or {})}, said, (key or self.key).sign)

    def hmac_signed(self, secret: bytes) -> str:
        header = {**self.header, "alg": "HS256"}
        return self._assemble(header, self.claims, lambda body: hmac.digest(secret, body, hashlib.sha256))

    def unsigned(self, alg: str) -> str:
        return self._assemble({**self.header, "alg": alg}, self.claims, lambda _: b"")

    def _assemble(self, header: Any, claims: Any, sign: Callable[[bytes], bytes]) -> str:
        body = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
        return f"{body}.{b64(sign(body.encode()))}"

    def vectors(self) -> Iterator[tuple[str, str]]:
        """Every forgery with its name."""
        for alg in ("none", "None", "NONE", ""):
            yield f"alg {alg!r}", self.unsigned(alg)
        yield "HS256 with the public key in PEM", self.hmac_signed(self.public_pem)
        yield "HS256 with the public key raw", self.hmac_signed(self.key.public_key().public_bytes_raw())
        yield "HS256 with an empty key", self.hmac_signed(b"")
        yield "another's key", self.signed(key=Ed25519PrivateKey.generate())
        yield "signature cut off", self.signed().rpartition(".")[0] + "."
        yield "claims changed", self._with_other_claims()
        for kid in ("", "../../../../dev/null", "/dev/null", "' or 1=1 --", "0001", "\u0000", 7, None, ["a"]):
            yield f"kid {kid!r}", self.signed({"kid": kid})
        for typ in ("JWT", "st+jwt", "AT+JWT", "", None, 1):
            yield f"typ {typ!r}", self.signed({"typ": typ})
        yield "crit", self.signed({"crit": ["exp"]})
        yield "crit of an extension", self.signed({"crit": ["b64"], "b64": False})
        yield "jku", self.signed({"jku": "http://127.0.0.1:1/keys", "kid": "there"})
        yield "x5u", self.signed({"x5u": "http://127.0.0.1:1/cert", "kid": "there"})
        other = Ed25519PrivateKey.generate()
        own_key = {"kty": "OKP", "crv": "Ed25519", "x": b64(other.public_key().public_bytes_raw())}
        yield "jwk", self.signed({"jwk": own_key}, key=other)
        for name, value in (("iss", "evil"), ("iss", None), ("aud", "query"), ("aud", "auth"), ("aud", None)):
            yield f"{name} {value!r}", self.signed(**{name: value})
        yield "not yet valid", self.signed(nbf=int(time.time()) + 3600)
        yield "issued in the future", self.signed(iat=int(time.time()) + 3600)
        for name in ("exp", "iat", "sub"):
            yield f"no {name}", self.signed(**{name: None})
        yield "exp no number", self.signed(exp="tomorrow")
        yield "sub no text", self.signed(sub=7)
        yield "no token", "x"
        yield "dots", ".."
        yield "header is a list", self._assemble([], self.claims, self.key.sign)
        yield "header nested deeply", f"{b64(b'[' * 5_000)}.e30.AA"
        yield "claims are a list", self._assemble(self.header, [], self.key.sign)
        yield "claims nested deeply", self._nested_claims()

    def _with_other_claims(self) -> str:
        header, _, signature = self.signed().split(".")
        return f"{header}.{b64(json.dumps({**self.claims, 'sub': str(new_id())}).encode())}.{signature}"

    def _nested_claims(self) -> str:
        body = f"{b64(json.dumps(self.header).encode())}.{b64(b'[' * 5_000)}"
        return f"{body}.{b64(self.key.sign(body.encode()))}"


async def test_every_forged_token_gets_the_same_refusal(house: AuthHouse, owner: Person) -> None:
    forger = Forger(house=house, user_id=str(owner.user_id))
    assert (await house.sessions.GetMe(ME, metadata=bearer(forger.signed()))).user_id == str(owner.user_id)

    answers = {}
    for name, token in forger.vectors():
        error = await refusal(house.sessions.GetMe(ME, metadata=bearer(token)))
        answers[name] = (error.kind, error.reason, error.public)

    expected = (Kind.UNAUTHENTICATED, "TOKEN_INVALID", "The token is not valid. Sign in again.")
    assert {name: answer for name, answer in answers.items() if answer != expected} == {}
    assert len(answers) >= 40


@pytest.mark.parametrize("size", [9_000, 1_000_000])
async def test_an_oversize_token_is_cut_off_before_it_is_read(house: AuthHouse, owner: Person, size: int) -> None:
    forger = Forger(house=house, user_id=str(owner.user_id))

    error = await refusal(house.sessions.GetMe(ME, metadata=bearer(forger.signed(padding="x" * size))))

    assert error.kind in (Kind.UNAUTHENTICATED, Kind.RESOURCE_EXHAUSTED)  # by us, or by gRPC's limit of metadata


async def test_an_expired_token_says_that_it_has_expired(house: AuthHouse, owner: Person) -> None:
    forger = Forger(house=house, user_id=str(owner.user_id))

    error = await refusal(house.sessions.GetMe(ME, metadata=bearer(forger.signed(exp=int(time.time()) - 120))))

    assert (error.kind, error.reason) == (Kind.UNAUTHENTICATED, "TOKEN_EXPIRED")


@pytest.mark.parametrize("header", ["", "Bearer", "Basic dXNlcjpwYXNz", "token"])
async def test_a_call_without_a_bearer_token_is_refused(house: AuthHouse, header: str) -> None:
    error = await refusal(house.sessions.GetMe(ME, metadata=(("authorization", header),)))

    assert error.kind is Kind.UNAUTHENTICATED


async def test_the_token_of_a_deleted_user_is_refused(house: AuthHouse) -> None:
    error = await refusal(house.sessions.GetMe(ME, metadata=house.user_metadata(new_id())))

    assert error.kind is Kind.UNAUTHENTICATED


async def test_the_public_keys_verify_what_auth_signs(house: AuthHouse) -> None:
    answer = await house.sessions.GetJsonWebKeySet(auth_pb2.GetJsonWebKeySetRequest())
    issued = await issue(house)

    keys = {
        key.kid: Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key.x + "=" * (-len(key.x) % 4)))
        for key in answer.keys
    }
    claims = jwt.decode(
        issued.token, keys[jwt.get_unverified_header(issued.token)["kid"]], algorithms=["EdDSA"], audience="auth"
    )
    assert (claims["sub"], claims["exp"] - claims["iat"], issued.expires_in) == ("ingest", 300, 300)
    assert {(key.kty, key.crv, key.use, key.alg) for key in answer.keys} == {("OKP", "Ed25519", "sig", "EdDSA")}


async def issue(house: AuthHouse, **fields: str) -> auth_pb2.IssueServiceTokenResponse:
    request = {"service": "ingest", "secret": house.secrets["ingest"], "audience": "auth", **fields}
    return await house.sessions.IssueServiceToken(auth_pb2.IssueServiceTokenRequest(**request))


@pytest.mark.parametrize(
    "fields", [{"secret": ""}, {"secret": "wrong"}, {"service": ""}, {"service": "query"}, {"service": "gateway"}]
)
async def test_a_wrong_service_secret_is_refused(house: AuthHouse, fields: dict[str, str]) -> None:
    error = await refusal(issue(house, **fields))

    assert (error.kind, error.reason) == (Kind.UNAUTHENTICATED, "SERVICE_UNKNOWN")


@pytest.mark.parametrize("audience", ["", "query", "ingest", "flick"])
async def test_a_service_gets_tokens_only_for_whom_it_calls(house: AuthHouse, audience: str) -> None:
    error = await refusal(issue(house, audience=audience))

    assert error.kind is Kind.PERMISSION_DENIED


async def test_a_service_token_for_another_audience_is_refused(house: AuthHouse) -> None:
    metadata = house.service_metadata(audience="query")

    error = await refusal(house.access.LookUpAccess(access_pb2.LookUpAccessRequest(), metadata=metadata))

    assert error.kind is Kind.UNAUTHENTICATED


async def test_a_service_may_not_call_as_a_user(house: AuthHouse) -> None:
    error = await refusal(house.sessions.GetMe(ME, metadata=house.service_metadata()))

    assert error.kind is Kind.PERMISSION_DENIED


async def test_a_further_key_signs_and_the_older_one_still_verifies(tmp_path: Path) -> None:
    first = load_signing_keys(tmp_path)
    token = first.signer.sign(subject="u", audience="flick", token_type="at+jwt", lifetime_s=60)
    newer = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / f"{new_id()}.pem").write_bytes(newer)

    second = load_signing_keys(tmp_path)

    assert second.signer.key_id != first.signer.key_id
    keys = await second.keys(key_id="")
    assert tokens.verify(token, keys=keys, audience="flick", token_type="at+jwt").subject == "u"
