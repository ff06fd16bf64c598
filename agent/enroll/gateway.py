"""The gateway's two calls that joining needs, over the standard library's HTTP client."""

import hashlib
import http.client
import json
import re
import ssl
from contextlib import closing, suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

from google.protobuf import json_format
from google.protobuf.message import Message

from agent.enroll.join_token import JoinToken
from agent.errors import AgentError
from agent.network.diagnosis import Problem, clock_off
from agent.network.probe import Probe
from flick.address import is_loopback, join
from flick.clock import Clock, utc
from flick.v1 import enrollment_pb2

_TRUST_BUNDLE = "/api/v1/trust-bundle"
_ENROLL = "/api/v1/servers:enroll"
_MAX_ANSWER_BYTES = 1024 * 1024
_CLOCK_OFF_S = 30.0  # the Date header has whole seconds, and the answer took its time
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


class Gateway:
    """An installation's gateway at `url`. Nothing secret is said to it before it has proven who it is.

    Raises AgentError when the URL is none, or is plain http off this machine.
    """

    def __init__(self, *, url: str, clock: Clock, timeout_s: float = 10.0) -> None:
        parts = urlsplit(url)
        self._encrypted = parts.scheme == "https"
        self._host, self._port = _place(url, parts)
        self._base = parts.path.rstrip("/")
        self._clock = clock
        self._timeout_s = timeout_s
        self._ahead_s = 0.0

    def trusted_authority(self, token: JoinToken) -> str:
        """The installation's certificate authority in PEM, which is the one that the token names; empty: a public one.

        It is fetched without knowing the peer: only the fingerprint in the token makes it worth trusting.
        """
        if not token.fingerprint:
            return ""
        blind = ssl.create_default_context()
        blind.check_hostname = False
        blind.verify_mode = ssl.CERT_NONE
        bundle = enrollment_pb2.TrustBundle()
        self._call("GET", _TRUST_BUNDLE, body=None, answer=bundle, context=blind, ca_pem="")
        for pem in _CERTIFICATE.findall(bundle.ca_pem):
            with suppress(ValueError):
                if hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() == token.fingerprint:
                    return str(pem)
        raise AgentError(
            f"{self._where} is not the installation that this join token is for: the fingerprint of its certificate "
            "authority is another. The token was not sent. Check the address, or make a token on that installation"
        )

    def enroll(
        self, request: enrollment_pb2.EnrollServerRequest, *, ca_pem: str
    ) -> enrollment_pb2.EnrollServerResponse:
        """Spend the token, at a peer that proves itself by a certificate of `ca_pem` (empty: of a public authority)."""
        answer = enrollment_pb2.EnrollServerResponse()
        body = json_format.MessageToJson(request, indent=None)
        context = ssl.create_default_context(cadata=ca_pem or None)
        self._call("POST", _ENROLL, body=body, answer=answer, context=context, ca_pem=ca_pem)
        return answer

    def _call(
        self, method: str, path: str, *, body: str | None, answer: Message, context: ssl.SSLContext, ca_pem: str
    ) -> None:
        """Make a call and fill `answer`. `ca_pem` is what `context` trusts."""
        with closing(self._connection(context)) as connection:
            try:
                connection.connect()
                headers = {"Accept": "application/json", "Content-Type": "application/json"}
                connection.request(method, self._base + path, body=body, headers=headers)
                response = connection.getresponse()
                content = response.read(_MAX_ANSWER_BYTES)
            except (OSError, http.client.HTTPException) as error:
                raise AgentError(self._explain(error, ca_pem)) from error
        self._compare_clocks(response.headers.get("Date"))
        if response.status != http.client.OK:
            raise AgentError(f"{self._where} answers {response.status}: {_complaint(response, content)}")
        try:
            json_format.Parse(content, answer, ignore_unknown_fields=True)
        except json_format.ParseError as error:
            raise AgentError(f"{self._where} is no FLick: {path} answers something else; check the address") from error

    def _connection(self, context: ssl.SSLContext) -> http.client.HTTPConnection:
        if self._encrypted:
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)

    @property
    def _where(self) -> str:
        return f"{'https' if self._encrypted else 'http'}://{self._address}"

    @property
    def _address(self) -> str:
        return join(self._host, self._port)

    def _explain(self, error: Exception, ca_pem: str) -> str:
        """What is wrong, found out by trying once more."""
        probe = Probe(address=self._address, ca_pem=ca_pem, protocol="", timeout_s=self._timeout_s)
        found = probe.run(now=utc(self._clock))
        if self._encrypted:
            text = found.text if found is not None else f"{self._where} can't be used: {error}"
        elif found is None or found.problem in (Problem.UNKNOWN_AUTHORITY, Problem.WRONG_NAME):
            text = f"{self._address} speaks TLS; write https:// instead of http://"
        elif found.problem is Problem.NOT_TLS:
            text = f"{self._where} is no FLick: it does not speak HTTP; check the port"
        else:
            text = found.text
        return f"{text}; {clock_off(self._ahead_s)}" if abs(self._ahead_s) > _CLOCK_OFF_S else text

    def _compare_clocks(self, date: str | None) -> None:
        with suppress(ValueError, TypeError):
            there: datetime = parsedate_to_datetime(date or "")
            self._ahead_s = (utc(self._clock) - there).total_seconds()

    @property
    def clock_warning(self) -> str:
        """How far this machine's clock is off by the gateway's, empty when it is not, or not known."""
        return clock_off(self._ahead_s) if abs(self._ahead_s) > _CLOCK_OFF_S else ""


def _place(url: str, parts: SplitResult) -> tuple[str, int]:
    """Host and port. Raises AgentError."""
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or parts.query or parts.fragment:
        raise AgentError(f"{url!r} is no address of FLick; write https://host:port")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise AgentError(f"{url} would send the token in clear; write https:// (http:// is for this very machine only)")
    return parts.hostname, port or (443 if parts.scheme == "https" else 80)


def _complaint(response: http.client.HTTPResponse, content: bytes) -> str:
    """What the gateway says, or what its status means."""
    location = response.headers.get("Location")
    if location:
        return f"it moved to {location}; use that address"
    with suppress(ValueError, AttributeError):
        message = json.loads(content).get("message")
        if message:
            return str(message)
    if response.status == http.client.NOT_FOUND:
        return "there is no FLick at this address; check host, port and path"
    return response.reason
