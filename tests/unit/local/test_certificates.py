"""The local authority and its server certificate: names, renewal, and that gRPC accepts them."""

import ssl
import stat
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import grpc
import pytest
from cryptography import x509

from deploy.local.certificates import RENEW_BEFORE, SERVER_LIFETIME, ensure_certificates, machine_names
from deploy.local.errors import LocalError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_keys_are_readable_only_by_their_owner(tmp_path: Path) -> None:
    ensure_certificates(directory=tmp_path / "tls", names=[], now=NOW)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").iterdir()}

    assert modes == {"ca.key": 0o600, "ca.pem": 0o600, "server.key": 0o600, "server.pem": 0o600}


def test_the_fingerprint_is_the_hash_of_the_authority_in_der(tmp_path: Path) -> None:
    made = ensure_certificates(directory=tmp_path, names=[], now=NOW)
    der = ssl.PEM_cert_to_DER_cert(made.authority_file.read_text())

    assert made.fingerprint == sha256(der).hexdigest()


def test_the_certificate_names_localhost_and_what_was_asked_for(tmp_path: Path) -> None:
    made = ensure_certificates(directory=tmp_path, names=["box.example", "192.0.2.7"], now=NOW)
    certificate = x509.load_pem_x509_certificate(made.certificate_file.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert set(names.get_values_for_type(x509.DNSName)) == {"localhost", "box.example"}
    assert {str(name) for name in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1", "192.0.2.7"}


def test_a_good_certificate_is_kept(tmp_path: Path) -> None:
    first = ensure_certificates(directory=tmp_path, names=["box.example"], now=NOW)
    before = first.certificate_file.read_bytes()
    second = ensure_certificates(directory=tmp_path, names=["box.example"], now=NOW + timedelta(days=1))

    assert (first.renewed, second.renewed) == (True, False)
    assert second.certificate_file.read_bytes() == before


@pytest.mark.parametrize(
    ("names", "later"),
    [
        (["box.example", "192.0.2.8"], timedelta()),
        (["box.example"], SERVER_LIFETIME - RENEW_BEFORE),
        (["box.example"], -timedelta(days=2)),
    ],
    ids=["new-address", "ends-soon", "not-yet-valid"],
)
def test_a_certificate_that_no_longer_fits_is_renewed_under_the_same_authority(
    tmp_path: Path, names: list[str], later: timedelta
) -> None:
    first = ensure_certificates(directory=tmp_path, names=["box.example"], now=NOW)
    second = ensure_certificates(directory=tmp_path, names=names, now=NOW + later)

    assert second.renewed
    assert second.fingerprint == first.fingerprint


def test_a_damaged_server_certificate_is_replaced(tmp_path: Path) -> None:
    made = ensure_certificates(directory=tmp_path, names=[], now=NOW)
    made.certificate_file.write_text("not a certificate")
    again = ensure_certificates(directory=tmp_path, names=[], now=NOW)

    assert again.renewed


def test_a_lost_authority_key_is_never_replaced_silently(tmp_path: Path) -> None:
    ensure_certificates(directory=tmp_path, names=[], now=NOW)
    (tmp_path / "ca.key").unlink()

    with pytest.raises(LocalError, match=r"restore ca\.key"):
        ensure_certificates(directory=tmp_path, names=[], now=NOW)


def test_this_machines_names_hold_no_link_local_address() -> None:
    names = machine_names()

    assert "127.0.0.1" in names
    assert not [name for name in names if name.startswith("fe80")]


async def test_grpc_accepts_the_certificates(tmp_path: Path) -> None:
    made = ensure_certificates(directory=tmp_path, names=[], now=datetime.now(tz=UTC))
    server = grpc.aio.server()
    pair = (made.key_file.read_bytes(), made.certificate_file.read_bytes())
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    await server.start()
    try:
        trusting = grpc.ssl_channel_credentials(made.authority_file.read_bytes())
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", trusting) as channel:
            call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/none/None")
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await call(b"", timeout=5)
    finally:
        await server.stop(None)

    assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
