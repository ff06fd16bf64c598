"""Finds out what is wrong with a TLS port. gRPC does not say, so it is tried again with the standard library."""

import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from agent.network import diagnosis
from agent.network.address import split_address
from agent.network.diagnosis import Diagnosis

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which ssl.VerifyFlags does not name
_DATES = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_NAMES = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")
_DATE_FORMAT = "%b %d %H:%M:%S %Y GMT"  # of SSLSocket.getpeercert


class Probe:
    """Tries one address, as a client that trusts `ca_pem` (empty: the system's authorities) would.

    Args:
        address: host:port. Raises AgentError when it is none.
        protocol: what the port must speak above TLS, by its ALPN name: `h2` is gRPC. Empty: anything.
        timeout_s: how long each step may take.
    """

    def __init__(self, *, address: str, ca_pem: str, protocol: str = "h2", timeout_s: float = 5.0) -> None:
        self._address = address
        self._host, self._port = split_address(address)
        self._ca_pem = ca_pem
        self._protocol = protocol
        self._timeout_s = timeout_s

    def run(self, *, now: datetime) -> Diagnosis | None:
        """What is wrong, None when TLS comes about. `now`: this machine's time, for the text. Blocks for seconds."""
        try:
            plain = self._connect()
        except socket.gaierror as error:
            return diagnosis.name_not_resolved(self._host, error.strerror or str(error))
        except ConnectionRefusedError:
            return diagnosis.connection_refused(self._address)
        except TimeoutError:
            return diagnosis.no_answer(self._address)
        except OSError as error:
            return diagnosis.not_reachable(self._address, error.strerror or str(error))
        with plain:
            return self._shake_hands(plain, now)

    def _connect(self) -> socket.socket:
        return socket.create_connection((self._host, self._port), timeout=self._timeout_s)

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self._ca_pem or None)
        if self._protocol:
            context.set_alpn_protocols([self._protocol])
        return context

    def _shake_hands(self, plain: socket.socket, now: datetime) -> Diagnosis | None:
        try:
            with self._context().wrap_socket(plain, server_hostname=self._host) as wrapped:
                spoken = wrapped.selected_alpn_protocol() or ""
        except ssl.SSLCertVerificationError as error:
            return self._explain_certificate(error, now)
        except (ssl.SSLError, ConnectionError, TimeoutError) as error:
            return self._explain_handshake(error)
        return None if spoken == self._protocol or not self._protocol else diagnosis.not_grpc(self._address)

    def _explain_handshake(self, error: OSError) -> Diagnosis:
        reason = str(getattr(error, "reason", None) or error)
        if isinstance(error, ssl.SSLError) and not any(sign in reason for sign in _NOT_TLS):
            return diagnosis.tls_fails(self._address, reason)
        return diagnosis.not_tls(self._address)

    def _explain_certificate(self, error: ssl.SSLCertVerificationError, now: datetime) -> Diagnosis:
        if error.verify_code in _NAMES:
            return diagnosis.wrong_name(self._address, self._host, _names(self._certificate()))
        if error.verify_code in _DATES:
            found = self._certificate()
            begins, ends = _date(found.get("notBefore")), _date(found.get("notAfter"))
            return diagnosis.certificate_dates(self._address, begins=begins, ends=ends, now=now)
        return diagnosis.unknown_authority(self._address, error.verify_message)

    def _certificate(self) -> dict[str, Any]:
        """The certificate of a trusted authority that has a wrong name or date; only to be talked about."""
        context = self._context()
        context.check_hostname = False
        context.verify_flags |= _NO_CHECK_TIME
        with suppress(OSError), self._connect() as plain, context.wrap_socket(plain) as wrapped:
            return dict(wrapped.getpeercert() or {})
        return {}


def _names(certificate: dict[str, Any]) -> str:
    names = [name for kind, name in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    return ", ".join(names) or "other names"


def _date(text: str | None) -> datetime | None:
    with suppress(ValueError):
        return datetime.strptime(text or "", _DATE_FORMAT).replace(tzinfo=UTC)
    return None
