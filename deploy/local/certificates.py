"""The local certificate authority and the server certificate that ingest and the gateway present.

Keys are P-256: Ed25519 certificates are refused by the TLS library inside gRPC.
"""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.local.errors import LocalError
from flick.private_file import write_private

AUTHORITY_LIFETIME = timedelta(days=3650)
SERVER_LIFETIME = timedelta(days=397)  # the most that browsers and Apple's platforms accept
RENEW_BEFORE = timedelta(days=60)
_BACKDATE = timedelta(hours=1)  # agents whose clock is a little behind accept a new certificate
_ALWAYS = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Paths of the authority's certificate, the server's chain and key, and what agents pin.

    Args:
        authority_file: the authority's certificate in PEM; clients trust it.
        certificate_file: the server's certificate, then the authority's, in PEM.
        key_file: the server's private key in PEM, mode 0600.
        fingerprint: SHA-256 of the authority's certificate in DER, 64 hexadecimal digits.
        renewed: whether the server's certificate is new since the last call.
    """

    authority_file: Path
    certificate_file: Path
    key_file: Path
    fingerprint: str
    renewed: bool


def ensure_certificates(*, directory: Path, names: Iterable[str], now: datetime) -> Certificates:
    """Make the authority on first use, and the server's certificate when it is missing, ends soon or lacks a name.

    The authority is never replaced by itself: agents pin it.

    Raises LocalError when a file of the authority is missing or unreadable while the other is there.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key, authority = _authority(directory, now)
    wanted = _ALWAYS | set(names)
    certificate_file, key_file = directory / "server.pem", directory / "server.key"
    renewed = not _still_good(certificate_file, key_file, authority, wanted, now)
    if renewed:
        server_key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign_server(server_key.public_key(), wanted, key, authority, now)
        write_private(key_file, _key_pem(server_key))
        write_private(certificate_file, _pem(certificate) + _pem(authority))
    return Certificates(
        authority_file=directory / "ca.pem",
        certificate_file=certificate_file,
        key_file=key_file,
        fingerprint=authority.fingerprint(hashes.SHA256()).hex(),
        renewed=renewed,
    )


def machine_names() -> set[str]:
    """Return this machine's host name and the addresses of its interfaces, link-local ones left out."""
    names = {name for name in (socket.gethostname(),) if name.isascii()}
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family in (socket.AF_INET, socket.AF_INET6):
                plain = address.address.partition("%")[0]
                if not ip_address(plain).is_link_local:
                    names.add(plain)
    return names


def _authority(directory: Path, now: datetime) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key_file, certificate_file = directory / "ca.key", directory / "ca.pem"
    if not key_file.exists() and not certificate_file.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        write_private(key_file, _key_pem(key))
        write_private(certificate_file, _pem(_sign_authority(key, now)))
    try:
        loaded = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except (OSError, ValueError) as error:
        raise LocalError(
            f"the certificate authority in {directory} cannot be read ({error}): restore ca.key and ca.pem from a "
            "backup, or remove both to begin a new authority, after which every agent must be enrolled again"
        ) from error
    if not isinstance(loaded, ec.EllipticCurvePrivateKey) or certificate.public_key() != loaded.public_key():
        raise LocalError(f"{key_file} does not belong to {certificate_file}: restore both from the same backup")
    return loaded, certificate


def _still_good(
    certificate_file: Path, key_file: Path, authority: x509.Certificate, wanted: Iterable[str], now: datetime
) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        certificate.verify_directly_issued_by(authority)
    except (OSError, ValueError, TypeError):  # missing, damaged or another authority's: a new one mends all three
        return False
    present = set(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    return (
        certificate.public_key() == key.public_key()
        and certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW_BEFORE
        and set(map(_general_name, wanted)) <= present
    )


def _sign_authority(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"FLick local authority of {socket.gethostname()}"[:64])])
    return (
        _builder(name, name, key.public_key(), now, AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _sign_server(
    public_key: ec.EllipticCurvePublicKey,
    names: Iterable[str],
    authority_key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    now: datetime,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "FLick")])
    alternatives = x509.SubjectAlternativeName([_general_name(name) for name in sorted(names)])
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        _builder(subject, authority.subject, public_key, now, SERVER_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(alternatives, critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + lifetime)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        address: IPv4Address | IPv6Address = ip_address(name)
    except ValueError:
        return x509.DNSName(name)
    return x509.IPAddress(address)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
