"""Which authority to trust for an installation: the system's, a file's, or its own once the user has compared it."""

import hashlib
import ssl
from collections.abc import Callable
from pathlib import Path

from flick.cli.api import Api, UntrustedError, tls_context
from flick.cli.failure import CliError, ExitCode

PROBE_PATH = "/api/v1/auth/jwks"  # open to everybody, and answered by whatever one can sign in at
BUNDLE_PATH = "/api/v1/trust-bundle"


def authority_for(url: str, *, ca_file: Path | None, known_pem: str, confirm: Callable[[str], bool] | None) -> str:
    """The authority to pin for `url` in PEM; empty for the system's.

    Args:
        url: the gateway.
        ca_file: the authority that the user named.
        known_pem: the one pinned before.
        confirm: asks the user whether to trust an authority, given its fingerprint; None: nobody can be asked.
    """
    if not url.startswith("https:"):
        return ""
    if ca_file is not None:
        return _from_file(ca_file)
    for pem in dict.fromkeys((known_pem, "")):
        if _is_trusted(url, pem):
            return pem
    return _on_first_use(url, confirm)


def fingerprint(ca_pem: str) -> str:
    """SHA-256 of the first certificate's DER, in hexadecimal, as join tokens carry it."""
    end = "-----END CERTIFICATE-----"
    first = ca_pem[: ca_pem.index(end) + len(end)]
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first.strip())).hexdigest()


def _from_file(path: Path) -> str:
    try:
        pem = path.read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise CliError(f"--ca: {path} can't be read: {error}.", code=ExitCode.USAGE) from error
    tls_context(pem or "empty")
    return pem


def _is_trusted(url: str, ca_pem: str) -> bool:
    try:
        Api(url=url, ca_pem=ca_pem).call("GET", PROBE_PATH)
    except UntrustedError:
        return False
    return True


def _on_first_use(url: str, confirm: Callable[[str], bool] | None) -> str:
    refusal = (
        f"The certificate of {url} comes from an authority that is not known here. Run `flick login --url {url} "
        "--ca FILE` with the installation's authority (on its own machine: ca.pem in the data folder)."
    )
    if confirm is None:
        raise CliError(refusal)
    pem = _shown_by(url)
    if not pem or not _is_trusted(url, pem):  # it must at least be the one that the gateway's certificate comes from
        raise CliError(refusal)
    if not confirm(fingerprint(pem)):
        raise CliError("Nothing was sent: the authority was not confirmed.")
    return pem


def _shown_by(url: str) -> str:
    """The authority that the gateway itself shows, over a connection that nothing vouches for yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return str(Api(url=url, context=context).call("GET", BUNDLE_PATH).get("caPem", ""))
