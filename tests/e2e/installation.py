"""One installation as a user runs it: `flick up` in a folder of its own, read by its JSON lines."""

import asyncio
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.deployables import end

COMMANDS = Path(sys.executable).parent
READY_WITHIN_S = 90.0
STOP_WITHIN_S = 30.0


@dataclass(kw_only=True)
class Installation:
    """A running `flick up`."""

    process: asyncio.subprocess.Process
    data_dir: Path
    ready: Mapping[str, Any]
    events: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    @property
    def server_id(self) -> str:
        return str(self.ready["server_id"])

    def children(self) -> list[psutil.Process]:
        """Every process that was started, directly or not."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, *words: str) -> psutil.Process:
        """The first process whose command line holds all `words`."""
        return next(one for one in self.children() if all(word in _command_line(one) for word in words))

    def client(self) -> httpx.AsyncClient:
        """An HTTP client of the gateway that trusts the installation's own authority."""
        trust = ssl.create_default_context(cafile=str(self.ready["ca"]))
        return httpx.AsyncClient(base_url=self.url, timeout=10, verify=trust)

    async def sign_in(self, client: httpx.AsyncClient) -> str:
        """Log in as the first admin; returns the access token and sends it from now on."""
        answer = await client.post(
            "/api/v1/auth/login", json={"email": self.ready["email"], "password": self.ready["password"]}
        )
        answer.raise_for_status()
        token = str(answer.json()["accessToken"])
        client.headers["Authorization"] = f"Bearer {token}"
        return token

    async def stop(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return await asyncio.wait_for(self.process.wait(), timeout=STOP_WITHIN_S)


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it ended meanwhile
        return []


@asynccontextmanager
async def flick_up(
    *, data_dir: Path, arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> AsyncIterator[Installation]:
    """Start `flick up` and wait until it is ready; on leaving, whatever lives of it is ended."""
    process = await asyncio.create_subprocess_exec(
        str(COMMANDS / "flick"),
        *("up", "--json", "--data-dir", str(data_dir), "--port", "0", *arguments),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    events: list[Mapping[str, Any]] = []
    reader = asyncio.create_task(_wait_ready(process, events))
    try:
        ready = await asyncio.wait_for(reader, timeout=READY_WITHIN_S)
        installation = Installation(process=process, data_dir=data_dir, ready=ready, events=events)
        follower = asyncio.create_task(_follow(process, events))
        yield installation
        follower.cancel()
    finally:
        reader.cancel()
        await end(process, within_s=STOP_WITHIN_S)


async def _wait_ready(process: asyncio.subprocess.Process, events: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    async for event in _lines(process):
        events.append(event)
        if event["event"] == "ready":
            return event
    raise AssertionError(f"flick up ended with {await process.wait()} before it was ready: {events}")


async def _follow(process: asyncio.subprocess.Process, events: list[Mapping[str, Any]]) -> None:
    async for event in _lines(process):
        events.append(event)  # noqa: PERF401 - readers look at the list while it grows


async def _lines(process: asyncio.subprocess.Process) -> AsyncIterator[Mapping[str, Any]]:
    assert process.stdout is not None
    async for line in process.stdout:
        event = json.loads(line)
        assert isinstance(event, dict)
        yield event
