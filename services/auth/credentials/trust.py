"""The certificate authority that agents are told to trust, and its fingerprint for join tokens."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from flick.config import ConfigError

NO_FINGERPRINT = "none"


@dataclass(frozen=True, kw_only=True)
class TrustAnchor:
    """Certificates in PEM, empty with public authorities; and the SHA-256 of the first one's DER in hex, or `none`."""

    ca_pem: str = ""
    fingerprint: str = NO_FINGERPRINT


def load_trust_anchor(path: Path | None) -> TrustAnchor:
    """Read the certificate authority. Raises ConfigError when the file holds no certificate."""
    if path is None:
        return TrustAnchor()
    try:
        pem = path.read_text(encoding="ascii")
        certificates = x509.load_pem_x509_certificates(pem.encode())
    except (OSError, ValueError) as error:
        raise ConfigError(f"FLICK_TRUST_BUNDLE_FILE: {path} holds no certificate in PEM: {error}") from error
    der = certificates[0].public_bytes(Encoding.DER)
    return TrustAnchor(ca_pem=pem, fingerprint=hashlib.sha256(der).hexdigest())
