"""The keys that tokens are signed with: a folder of Ed25519 keys in PEM, shared by every process of auth.

A file's name without `.pem` is its key's id. The last by name signs, the others still verify. To rotate, add a file
with a later name, restart the processes one by one, and delete the older file an hour later. Never put another key
under a name that was used before: whoever verifies remembers keys by their ids.
"""

import base64
import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from flick.config import ConfigError
from flick.ids import new_id
from flick.private_file import write_private
from flick.tokens import Signer


@dataclass(frozen=True, kw_only=True)
class SigningKeys:
    """The signing key and every public key by its id. Also a `flick.rpc.access.source.KeySource`."""

    signer: Signer
    public_keys: Mapping[str, Ed25519PublicKey]

    async def keys(self, *, key_id: str) -> Mapping[str, Ed25519PublicKey]:
        """See `KeySource`. Every key is known from the start."""
        del key_id
        return self.public_keys


def load_signing_keys(folder: Path) -> SigningKeys:
    """Read the keys of `folder`, after making the first one where there is none.

    Raises ConfigError when the folder can't be used or a file holds no Ed25519 key.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_first_key(folder)
        private_keys = {path.stem: _read_key(path) for path in sorted(folder.glob("*.pem"))}
    except OSError as error:
        raise ConfigError(f"FLICK_AUTH_SIGNING_KEYS_DIR: {folder} can't be used: {error}") from error
    newest = max(private_keys)
    return SigningKeys(
        signer=Signer(key=private_keys[newest], key_id=newest),
        public_keys={key_id: key.public_key() for key_id, key in private_keys.items()},
    )


def encode_public_key(key: Ed25519PublicKey) -> str:
    """The `x` of RFC 8037: the key's 32 bytes in base64url without padding."""
    return base64.urlsafe_b64encode(key.public_bytes_raw()).decode().rstrip("=")


def _make_first_key(folder: Path) -> None:
    """Processes may start together: one makes the key while the others wait for the folder's lock."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if not list(folder.glob("*.pem")):
            _write_key(folder, name=f"{new_id()}.pem")
    finally:
        os.close(descriptor)


def _write_key(folder: Path, *, name: str) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(folder / name, pem)


def _read_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"FLICK_AUTH_SIGNING_KEYS_DIR: {path} holds no key in PEM without a password.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"FLICK_AUTH_SIGNING_KEYS_DIR: {path} holds a key of another kind than Ed25519.")
    return key
