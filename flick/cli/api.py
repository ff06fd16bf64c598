"""The REST API over HTTP, by the standard library: JSON in, JSON out, errors in words."""

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from flick.address import is_loopback
from flick.cli.failure import CliError, ExitCode

TIMEOUT_S = 15.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024

Json = dict[str, Any]


class ApiError(CliError):
    """The API refused a call. `status` is the HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        codes = {401: ExitCode.NOT_SIGNED_IN, 403: ExitCode.NOT_FOUND_OR_DENIED, 404: ExitCode.NOT_FOUND_OR_DENIED}
        super().__init__(text, code=codes.get(status, ExitCode.ERROR))
        self.status = status


class UntrustedError(CliError):
    """The gateway's certificate comes from an authority that is not trusted here."""


class Api:
    """A gateway.

    Args:
        url: `scheme://host:port`.
        ca_pem: the authority to trust for https; empty: the system's.
        context: how TLS is spoken, instead of by `ca_pem`.
    """

    def __init__(self, *, url: str, ca_pem: str = "", context: ssl.SSLContext | None = None) -> None:
        self.url = url
        handlers: list[Any] = [_NoRedirects()]
        if url.startswith("https:"):
            handlers.append(urllib.request.HTTPSHandler(context=context or tls_context(ca_pem)))
        if is_loopback(urlsplit(url).hostname or ""):
            handlers.append(urllib.request.ProxyHandler({}))  # a proxy could not reach this machine's own address
        self._opener = urllib.request.build_opener(*handlers)

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        token: str = "",
    ) -> Json:
        """Make a call. Raises ApiError when it is refused, UntrustedError, or CliError when nobody answers."""
        target = f"{self.url}{path}{f'?{urlencode(query)}' if query else ''}"
        request = urllib.request.Request(target, method=method)  # noqa: S310 - the scheme was checked
        request.add_header("accept", "application/json")
        if token:
            request.add_header("authorization", f"Bearer {token}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("content-type", "application/json")
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                return _parsed(answer.read(MAX_ANSWER_BYTES), self.url)
        except urllib.error.HTTPError as error:
            with error:
                raise ApiError(error.code, _refusal(error, self.url)) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: BaseException) -> CliError:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            return UntrustedError(
                f"The certificate of {self.url} is not trusted here ({reason.verify_message}). "
                f"Run `flick login --url {self.url} --ca FILE` with the installation's authority."
            )
        what = "it speaks plain HTTP" if "WRONG_VERSION_NUMBER" in str(reason) else str(reason).rpartition("] ")[2]
        return CliError(
            f"{self.url} does not answer ({what}). Start FLick with `flick up`, or give the right address with --url."
        )


def tls_context(ca_pem: str) -> ssl.SSLContext:
    """Trust `ca_pem` and nothing else; empty: the system's authorities. Raises CliError when it is no certificate."""
    if not ca_pem:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError) as error:
        raise CliError(f"The authority is no certificate in PEM: {error}.", code=ExitCode.USAGE) from error
    return context


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The API never redirects; a redirect followed would carry the token to a stranger."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Refuse."""
        return


def _parsed(text: bytes, url: str) -> Json:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise CliError(f"{url} answers, but not as FLick does. Is the address right?")
    return value


def _refusal(error: urllib.error.HTTPError, url: str) -> str:
    try:
        body = _parsed(error.read(MAX_ANSWER_BYTES), url)
    except (CliError, OSError):
        return f"{url} answered {error.code} and nothing that FLick would say. Is the address right?"
    message = str(body.get("message") or f"The call was refused with {error.code}.")
    return message if message.endswith((".", "!", "?")) else f"{message}."
