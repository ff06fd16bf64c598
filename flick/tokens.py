"""Credentials: opaque keys with a checksum, and signed tokens (JWT) with pinned algorithm, issuer, audience and type.

Opaque: `<prefix>_<id>_<secret>[_<fingerprint>]_<crc>`, where id is a UUID in hex, secret 256 random bits in base 62 and
crc the CRC-32 of all before it in eight hex digits, so that a mistyped key is told from a wrong one without a look-up.
Signed: EdDSA (RFC 8037) by the rules of RFC 8725; the header's `typ` tells a person's token from a service's.
"""

import hashlib
import secrets
import string
import time
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from flick.errors import FlickError, unauthenticated

AGENT_KEY_PREFIX = "flk"
JOIN_TOKEN_PREFIX = "flj"
REFRESH_TOKEN_PREFIX = "flr"

ISSUER = "flick"
USER_AUDIENCE = "flick"
ACCESS_TOKEN_TYPE = "at+jwt"  # RFC 9068
SERVICE_TOKEN_TYPE = "st+jwt"
MAX_TOKEN_BYTES = 8192  # cut before anything is parsed
CLOCK_LEEWAY_S = 60

_ALPHABET = string.ascii_letters + string.digits
_SECRET_LENGTH = 43  # 43 digits in base 62 hold 256 bits


@dataclass(frozen=True)
class OpaqueToken:
    """An opaque key taken apart. `text` is the whole, which is secret."""

    id: uuid.UUID
    secret: str
    fingerprint: str
    text: str

    @property
    def secret_sha256(self) -> bytes:
        """What is stored in the secret's place. The secret has 256 random bits, so a plain hash suffices."""
        return hashlib.sha256(self.secret.encode()).digest()


def make_opaque(*, prefix: str, token_id: uuid.UUID, fingerprint: str = "") -> OpaqueToken:
    """A new opaque key with a random secret."""
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    parts = [prefix, token_id.hex, secret, *([fingerprint] if fingerprint else [])]
    body = "_".join(parts)
    return OpaqueToken(id=token_id, secret=secret, fingerprint=fingerprint, text=f"{body}_{_checksum(body)}")


def parse_opaque(text: str, *, prefix: str) -> OpaqueToken | None:
    """The key that `text` writes, or None when it is no key of this prefix or its checksum is wrong."""
    if len(text) > MAX_TOKEN_BYTES:
        return None
    body, _, checksum = text.rpartition("_")
    parts = body.split("_")
    if len(parts) not in (3, 4) or parts[0] != prefix or checksum != _checksum(body):
        return None
    try:
        token_id = uuid.UUID(hex=parts[1])
    except ValueError:
        return None
    return OpaqueToken(id=token_id, secret=parts[2], fingerprint=parts[3] if len(parts) == 4 else "", text=text)


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"


@dataclass(frozen=True)
class Claims:
    """What a verified token says. `session` is empty in a service's token."""

    subject: str
    session: str
    expire_time_s: int


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Signs tokens with one key."""

    key: Ed25519PrivateKey
    key_id: str

    def sign(self, *, subject: str, audience: str, token_type: str, lifetime_s: int, session: str = "") -> str:
        """A token for `subject`, valid from now for `lifetime_s` seconds."""
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": subject, "aud": audience, "iat": now, "nbf": now, "exp": now + lifetime_s}
        if session:
            claims["sid"] = session
        return jwt.encode(claims, self.key, algorithm="EdDSA", headers={"kid": self.key_id, "typ": token_type})


def key_id_of(token: str) -> tuple[str, str]:
    """The key id and type that an unverified token names. Raises UNAUTHENTICATED when it is no token."""
    if len(token) > MAX_TOKEN_BYTES:
        raise _refused("the token is longer than 8 KiB")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise _refused(str(error)) from error
    if "crit" in header:
        raise _refused("the token's header has critical extensions")
    return str(header.get("kid", "")), str(header.get("typ", ""))


def verify(token: str, *, keys: Mapping[str, Ed25519PublicKey], audience: str, token_type: str) -> Claims:
    """Check a token against `keys` (by key id) and what it must say. Raises UNAUTHENTICATED."""
    key_id, found_type = key_id_of(token)
    key = keys.get(key_id)
    if key is None or found_type != token_type:
        raise _refused(f"no key {key_id!r} or wrong type {found_type!r}")
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=["EdDSA"],
            audience=audience,
            issuer=ISSUER,
            leeway=CLOCK_LEEWAY_S,
            options={"require": ["iss", "sub", "aud", "iat", "exp"], "verify_iat": True},
        )
    except jwt.ExpiredSignatureError as error:
        raise unauthenticated("The token has expired. Refresh it or sign in again.", reason="TOKEN_EXPIRED") from error
    except jwt.InvalidTokenError as error:
        raise _refused(str(error)) from error
    return Claims(subject=claims["sub"], session=str(claims.get("sid", "")), expire_time_s=int(claims["exp"]))


def _refused(private: str) -> FlickError:
    return unauthenticated("The token is not valid. Sign in again.", private=private, reason="TOKEN_INVALID")
