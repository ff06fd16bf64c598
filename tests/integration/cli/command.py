"""The `flick` command as a user runs it: a process with credentials of its own, at a terminal where it matters."""

import asyncio
import contextlib
import os
import pty
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.gateway.scripted import EMAIL, PASSWORD
from tests.waiting import eventually

FLICK = str(Path(sys.executable).parent / "flick")
WITHIN_S = 20.0

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()=>][0-9A-B]?")


@dataclass(frozen=True)
class Outcome:
    """What a command ended with."""

    code: int
    out: str
    err: str


@dataclass(kw_only=True)
class User:
    """Somebody with a home of their own."""

    home: Path
    url: str

    @property
    def credentials(self) -> Path:
        return self.home / "credentials.json"

    def environment(self, **more: str) -> Mapping[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FLICK_")}
        own = {"HOME": str(self.home), "FLICK_URL": self.url, "FLICK_CREDENTIALS_FILE": str(self.credentials)}
        return {**kept, **own, "TERM": "xterm", "COLUMNS": "120", "LINES": "40", **more}

    async def flick(self, *arguments: str, stdin: str = "", **environment: str) -> Outcome:
        """Run a command to its end, without a terminal."""
        process = await asyncio.create_subprocess_exec(
            FLICK,
            *arguments,
            env=self.environment(**environment),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), timeout=WITHIN_S)
        assert process.returncode is not None
        return Outcome(process.returncode, out.decode(), err.decode())

    async def sign_in(self) -> None:
        outcome = await self.flick("login", "--email", EMAIL, "--password-stdin", stdin=PASSWORD + "\n")
        assert outcome.code == 0, outcome.err


@dataclass
class Terminal:
    """A command at a terminal."""

    process: asyncio.subprocess.Process
    descriptor: int
    raw: bytearray = field(default_factory=bytearray)

    @property
    def text(self) -> str:
        """Everything that was shown, without the escapes."""
        return _ESCAPES.sub("", self.raw.decode(errors="replace")).replace("\r\n", "\n")

    async def shows(self, words: str) -> None:
        """Wait until the terminal has shown something."""

        async def text() -> str:
            return self.text

        shown = await eventually(text, lambda found: words in found, within_s=WITHIN_S, every_s=0.02)
        assert words in shown, shown[-2000:]

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    async def ends(self) -> int:
        return await asyncio.wait_for(self.process.wait(), timeout=WITHIN_S)


@asynccontextmanager
async def at_terminal(user: User, *arguments: str) -> AsyncIterator[Terminal]:
    """Run a command at a terminal of its own; on leaving it is ended."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        FLICK,
        *arguments,
        env=user.environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(theirs)
    terminal = Terminal(process, ours)
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            terminal.raw.extend(os.read(ours, 65536))
        except OSError:  # the other end is closed
            loop.remove_reader(ours)

    loop.add_reader(ours, read)
    try:
        yield terminal
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        loop.remove_reader(ours)
        os.close(ours)


def _take_terminal() -> None:
    """Make standard input the controlling terminal, so that Ctrl-C works."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
