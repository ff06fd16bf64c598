"""Live values over the gateway's WebSocket: keeps itself connected, signed in and subscribed."""

import asyncio
import json
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from flick.address import is_loopback
from flick.cli.api import UntrustedError, tls_context
from flick.cli.failure import CliError, ExitCode
from flick.cli.session import RENEW_BEFORE_S, Session

SUBSCRIPTION = "top"
SILENCE_S = 40.0  # the gateway gives a sign of life every 15 s
RETRY_BASE_S, RETRY_FACTOR, RETRY_CAP_S = 1.0, 1.6, 30.0
MAX_FRAME_BYTES = 8 * 1024 * 1024

_UNAUTHENTICATED = 4401
_NOT_FOUND, _DENIED, _INVALID = 5, 7, 3  # google.rpc.Code


@dataclass(frozen=True)
class Connected:
    """Values flow from now on."""


@dataclass(frozen=True)
class Update:
    """A server's values at one moment, as WatchMetricsResponse reads in JSON."""

    value: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Lost:
    """The connection is gone; another is tried in `retry_in_s` seconds."""

    why: str
    retry_in_s: float


Event = Connected | Update | Lost


class _BrokenError(Exception):
    """A connection that can't go on; another one may."""

    def __init__(self, why: str, *, retry_in_s: float | None = None) -> None:
        super().__init__(why)
        self.retry_in_s = retry_in_s


class Feed:
    """What happens to some servers, as long as it is listened to."""

    def __init__(
        self,
        *,
        session: Session,
        server_ids: Sequence[str],
        names: Sequence[str] = (),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._session = session
        self._url = session.url.replace("http", "ws", 1) + "/api/v1/ws"
        self._tls = tls_context(session.ca_pem) if session.url.startswith("https:") else None
        self._wanted = {"subscriptionId": SUBSCRIPTION, "serverIds": list(server_ids), "names": list(names)}
        self._chance = chance
        self._token = ""
        self._refused = ""
        self._last_words: _BrokenError | None = None

    async def events(self) -> AsyncIterator[Event]:
        """Never ends by itself. Raises CliError for what trying again would not mend."""
        attempt = 0
        while True:
            wait_s: float | None = None
            try:
                async for event in self._connection():
                    attempt = 0
                    yield event
                why = "the gateway closed the connection"
            except _BrokenError as error:
                why, wait_s = str(error), error.retry_in_s
            if wait_s is None:  # full jitter, so that viewers of a gateway that came back don't come all at once
                wait_s = self._chance() * min(RETRY_CAP_S, RETRY_BASE_S * RETRY_FACTOR**attempt)
            attempt += 1
            yield Lost(why=why, retry_in_s=wait_s)
            await asyncio.sleep(wait_s)

    async def _connection(self) -> AsyncIterator[Event]:
        self._token = await asyncio.to_thread(self._session.access_token, refused=self._refused)
        host = urlsplit(self._url).hostname or ""
        try:
            async with connect(
                self._url,
                ssl=self._tls,
                compression=None,
                max_size=MAX_FRAME_BYTES,
                proxy=None if is_loopback(host) else True,
            ) as socket:
                async for event in self._listen(socket):
                    yield event
        except ConnectionClosed as error:
            raise self._closed(error) from error
        except ssl.SSLCertVerificationError as error:
            raise UntrustedError(
                f"The certificate of {self._session.url} is not trusted here. Sign in anew."
            ) from error
        except (OSError, TimeoutError, InvalidHandshake, InvalidMessage) as error:
            raise _BrokenError(f"{self._session.url} does not answer ({_reason(error)})") from error

    async def _listen(self, socket: ClientConnection) -> AsyncIterator[Event]:
        await socket.send(json.dumps({"authenticate": {"accessToken": self._token}}))
        await socket.send(json.dumps({"subscribe": self._wanted}))
        renew_at_s = self._renew_at_s()
        while True:
            frame = await self._receive(socket)
            if "ready" in frame:
                self._refused = ""
                yield Connected()
            elif "metrics" in frame:
                yield Update(frame["metrics"]["update"])
            elif "error" in frame:
                self._take_error(frame["error"])
            if time.time() >= renew_at_s:
                self._token = await asyncio.to_thread(self._session.access_token)
                await socket.send(json.dumps({"authenticate": {"accessToken": self._token}}))
                renew_at_s = self._renew_at_s()

    async def _receive(self, socket: ClientConnection) -> dict[str, Any]:
        try:
            async with asyncio.timeout(SILENCE_S):
                frame = json.loads(await socket.recv())
        except TimeoutError:
            raise _BrokenError(f"nothing came for {SILENCE_S:.0f} s") from None
        except ValueError:
            raise _BrokenError("the gateway sends something that FLick would not") from None
        return frame if isinstance(frame, dict) else {}

    def _renew_at_s(self) -> float:
        """The gateway gives a sign of life every 15 s, so a token is renewed well before its end."""
        return self._session.expire_time_s - RENEW_BEFORE_S

    def _take_error(self, error: dict[str, Any]) -> None:
        status = error.get("status") or {}
        text = str(status.get("message", "the subscription ended"))
        if status.get("code") in (_NOT_FOUND, _DENIED):
            raise CliError(text, code=ExitCode.NOT_FOUND_OR_DENIED)
        if status.get("code") == _INVALID:
            raise CliError(text)
        if error.get("subscriptionId"):
            raise _BrokenError(text, retry_in_s=_retry_in_s(status))
        self._last_words = _BrokenError(text, retry_in_s=_retry_in_s(status))  # a close follows

    def _closed(self, error: ConnectionClosed) -> _BrokenError:
        code = error.rcvd.code if error.rcvd else 1006
        if code == _UNAUTHENTICATED:
            self._refused = self._token
            return _BrokenError("the token has ended", retry_in_s=self._chance())
        said, self._last_words = self._last_words, None
        return said or _BrokenError(error.rcvd.reason if error.rcvd and error.rcvd.reason else "the connection broke")


def _retry_in_s(status: dict[str, Any]) -> float | None:
    for detail in status.get("details") or []:
        delay = str(detail.get("retryDelay", ""))
        if delay.endswith("s"):
            return float(delay[:-1])
    return None


def _reason(error: BaseException) -> str:
    return str(error).rpartition("] ")[2] or type(error).__name__
