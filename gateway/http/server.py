"""The HTTP server: uvicorn with the settings that a server on the open net needs."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from flick.address import join, split
from flick.config import ConfigError
from gateway.http.protocols import HttpProtocol, WebSocketProtocol

MAX_FRAME_BYTES = 64 * 1024
MAX_HEAD_BYTES = 32 * 1024  # an access token is 8 KiB at most

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RunningServer:
    """A server that answers. `address` is host:port with the port it really got; `stopped` ends if it fails."""

    address: str
    stopped: asyncio.Task[None]


class _Server(uvicorn.Server):
    """uvicorn without signal handlers: the process decides when to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._answers = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone."""
        yield

    async def ready(self, running: asyncio.Task[None]) -> None:
        """Wait until the server answers; raises what it failed with instead."""
        answers = asyncio.create_task(self._answers.wait())
        await asyncio.wait({answers, running}, return_when=asyncio.FIRST_COMPLETED)
        answers.cancel()
        if running.done():
            running.result()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell whoever waits."""
        await super().startup(sockets=sockets)
        self._answers.set()


@asynccontextmanager
async def serve_http(
    *,
    application: Any,
    listen: str,
    tls_cert_file: Path | None = None,
    tls_key_file: Path | None = None,
    say_goodbye: Callable[[], Coroutine[Any, Any, None]],
    drain: Callable[[], Coroutine[Any, Any, None]],
    grace_s: float = 10.0,
) -> AsyncIterator[RunningServer]:
    """Serve while entered. On leaving `say_goodbye` to live sockets, which uvicorn would close without a word; then
    stop listening, `drain`, and give what still runs `grace_s` seconds to end.

    Raises ConfigError when the address can't be listened on or the certificate can't be used.
    """
    config = _configuration(application, tls_cert_file, tls_key_file, grace_s)
    with _listen(listen) as listener:
        server = _Server(config)
        address = join(split(listen)[0], listener.getsockname()[1])
        running = asyncio.create_task(server.serve(sockets=[listener]), name="http-server")
        await server.ready(running)
        logger.info("serving", extra={"address": address})
        try:
            yield RunningServer(address=address, stopped=running)
        finally:
            logger.info("draining")
            await say_goodbye()
            server.should_exit = True
            await asyncio.gather(running, drain())
            logger.info("stopped")


def _configuration(application: Any, cert_file: Path | None, key_file: Path | None, grace_s: float) -> uvicorn.Config:
    config = uvicorn.Config(
        application,
        http=HttpProtocol,
        ws=WebSocketProtocol,
        ws_max_size=MAX_FRAME_BYTES,
        ws_per_message_deflate=False,  # a window per viewer costs more memory than the wire is worth
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        lifespan="off",
        log_config=None,
        access_log=False,  # the edge writes a line that holds no query
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(grace_s),
        ssl_certfile=cert_file,
        ssl_keyfile=key_file,
    )
    # uvicorn's own records name whole URLs, and at DEBUG the handshake's headers with the viewer's token.
    for name in ("uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"FLICK_GATEWAY_TLS_CERT_FILE {cert_file} and FLICK_GATEWAY_TLS_KEY_FILE {key_file} can't be used: {error}"
        ) from error
    return config


def _listen(address: str) -> socket.socket:
    host, port = split(address)
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"FLICK_GATEWAY_LISTEN is {address!r}: {error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(target)
    except OSError as error:
        listener.close()
        raise ConfigError(f"FLICK_GATEWAY_LISTEN is {address!r}, which can't be listened on: {error}") from error
    return listener
