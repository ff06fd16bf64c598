"""The embedded PostgreSQL with TimescaleDB: its data directory, its settings, and what is mended before a start."""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psutil

from deploy.local.embedded.runtime import POSTGRES_MAJOR, Runtime
from deploy.local.errors import DataVersionError, PartError
from deploy.local.machine.account import Account, make_private_folder, require_reach
from deploy.local.machine.process import run
from flick.private_file import write_private

SUPERUSER = "postgres"
_PROGRAM = "postgres"
STOP_SIGNAL = signal.SIGINT  # "fast": open transactions are rolled back and a checkpoint is written
DEATH_SIGNAL = signal.SIGQUIT  # "immediate": gone within moments; the next start recovers from the write-ahead log
_LEFTOVER_GRACE_S = 6.0  # an immediate shutdown kills its stragglers after 5 s by itself
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - POSIX shared memory, not a temporary file

# Passwords everywhere, also on the socket, since other users of this machine can reach both.
_ACCESS = """\
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
host all all all reject
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """One embedded server: where it keeps its data and how it is reached. It starts nothing that outlasts a call.

    Args:
        runtime: the unpacked programs.
        account: whom it runs as.
        directory: its data directory (PGDATA).
        socket_directory: folder of its Unix socket; the socket's path must stay below 100 bytes.
        port: loopback TCP port.
        passwords: the password of every role that `url` is asked for, and of `postgres`, the superuser.
        shared_buffers_mib: memory for its page cache, in MiB.
    """

    runtime: Runtime
    account: Account
    directory: Path
    socket_directory: Path
    port: int
    passwords: Mapping[str, str] = field(repr=False)
    shared_buffers_mib: int = 128

    def url(self, *, database: str, role: str = SUPERUSER) -> str:
        """Return the address of a database for one of the roles, over loopback TCP."""
        return f"postgresql://{role}:{quote(self.passwords[role], safe='')}@127.0.0.1:{self.port}/{database}"

    def command(self) -> list[str]:
        """Return the command line of the server."""
        return [str(self.runtime.postgres("postgres")), "-D", str(self.directory)]

    def environment(self) -> dict[str, str]:
        """Return the environment of its programs: the caller's PG* and locale settings must not reach them."""
        return {"PATH": os.defpath, "LC_ALL": "C"}

    async def prepare(self) -> None:
        """Make ready to start: create the data directory, or clear what a killed launcher left; write the settings.

        The caller holds the lock of the data directory.

        Raises DataVersionError when another major version wrote the data directory.
        Raises UnreachableFolderError when the account cannot reach the programs or the data.
        """
        for folder in (self.runtime.root, self.directory.parent):
            require_reach(self.account, folder)
        self._refuse_other_version()
        make_private_folder(self.account, self.socket_directory)
        if self._exists():
            await self._clear_leftovers()
        else:
            await self._create()
        write_private(self.directory / "postgresql.conf", self._settings(), owner=self.account.owner)
        write_private(self.directory / "pg_hba.conf", _ACCESS, owner=self.account.owner)

    def _exists(self) -> bool:
        return (self.directory / "PG_VERSION").exists()

    def _refuse_other_version(self) -> None:
        if not self._exists():
            return
        found = (self.directory / "PG_VERSION").read_text().strip()
        if found != str(POSTGRES_MAJOR):
            raise DataVersionError(
                f"{self.directory} was written by PostgreSQL {found}, but this FLick carries PostgreSQL "
                f"{POSTGRES_MAJOR}; nothing was changed. To upgrade: start the FLick that wrote it, dump with "
                f"`pg_dump --format=custom --file=flick.dump`, move {self.directory} away, start this FLick once, and "
                "load the dump with `pg_restore --clean`"
            )

    async def _create(self) -> None:
        """Run initdb in a folder beside the real one, so that an interrupted run is never taken for a database."""
        new = self.directory.with_name(f"{self.directory.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        make_private_folder(self.account, new)
        password_file = new.with_name(f"{new.name}.password")
        write_private(password_file, self.passwords[SUPERUSER], owner=self.account.owner)
        try:
            code, output = await run(
                self.runtime.postgres("initdb"),
                f"--pgdata={new}",
                f"--username={SUPERUSER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",  # sorts alike on every machine, whatever its C library
                "--builtin-locale=C.UTF-8",
                account=self.account,
                environment=self.environment(),
                directory=Path("/"),
            )
        finally:
            password_file.unlink()
        if code != 0:
            raise PartError(f"the database could not be created in {self.directory}: {output.strip()[-600:]}")
        new.rename(self.directory)

    async def _clear_leftovers(self) -> None:
        """End what still works in the data directory, then drop the pid file.

        PostgreSQL refuses to start while the number in that file is alive, even when it is another program's by now.
        """
        pid_file = self.directory / "postmaster.pid"
        if not pid_file.exists():
            return
        for number in (signal.SIGQUIT, signal.SIGKILL):
            leftovers = processes_in(self.directory)
            for process in leftovers:
                _signal(process, number)
            await _wait_gone(leftovers, within_s=_LEFTOVER_GRACE_S)
        pid_file.unlink(missing_ok=True)

    def _settings(self) -> str:
        settings: dict[str, str | int] = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": str(self.socket_directory),
            "password_encryption": "scram-sha-256",
            "max_connections": 200,
            "shared_buffers": f"{self.shared_buffers_mib}MB",
            "dynamic_shared_memory_type": "posix" if os.access(_SHARED_MEMORY, os.W_OK) else "mmap",
            # An ack promises that a sample survives a power cut: these three are what it stands on.
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            # After a checkpoint each page is written whole into the log once. Samples that move into sealed hours touch
            # every page of their rows again: with PostgreSQL's own compression that takes six times as long.
            "wal_compression": "lz4",
            "max_wal_size": "1GB",
            "jit": "off",  # LLVM is left out of the runtime; queries here are short
            "shared_preload_libraries": "timescaledb",
            "timescaledb.telemetry_level": "off",
            # Debian's build is the Apache edition, which runs no jobs; a scheduler per database would only hold
            # connections that keep a database from being copied.
            "timescaledb.max_background_workers": 0,
            # Built in, where any other zone needs the system's tzdata; times are stored and sent in UTC anyway.
            "timezone": "GMT",
            "log_timezone": "GMT",
            "log_line_prefix": "%m [%p] %q%u@%d ",
            "cluster_name": "flick",
        }
        lines = [f"{name} = '{str(value).replace(chr(39), chr(39) * 2)}'" for name, value in settings.items()]
        return "\n".join(["# Written by FLick at every start; changes are lost.", *lines, ""])


def processes_in(directory: Path) -> list[psutil.Process]:
    """Return PostgreSQL's processes that work in `directory`, as all do in their data directory; no shell there."""
    real = str(directory.resolve())
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == _PROGRAM and process.cwd() == real:
                found.append(process)
        except psutil.Error:  # ended meanwhile, or another user's, which our database never is
            continue
    return found


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


async def _wait_gone(processes: list[psutil.Process], *, within_s: float) -> None:
    await asyncio.to_thread(psutil.wait_procs, processes, timeout=within_s)
