"""The embedded Redis: latest samples, live announcements and alert streams, all of which may be lost."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import redis.asyncio
import redis.exceptions

from deploy.local.embedded.runtime import Runtime
from deploy.local.machine.account import Account, make_private_folder, require_reach
from flick.private_file import write_private

_CONNECT_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Redis:
    """One embedded server. It starts nothing by itself.

    Args:
        runtime: the unpacked programs.
        account: whom it runs as.
        directory: its working folder; holds the settings, which carry the password.
        port: loopback TCP port.
        password: what clients must give.
        memory_mib: the most it may hold, in MiB.
    """

    runtime: Runtime
    account: Account
    directory: Path
    port: int
    password: str = field(repr=False)
    memory_mib: int = 128

    def url(self) -> str:
        """Return the address for clients; the password is URL-safe."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """Return the command line of the server."""
        return [str(self.runtime.redis("redis-server")), str(self.directory / "redis.conf")]

    def environment(self) -> dict[str, str]:
        """Return the environment of the server."""
        return {"PATH": os.defpath, "LC_ALL": "C"}

    async def prepare(self) -> None:
        """Write the settings.

        Raises UnreachableFolderError when the account cannot reach the programs or the folder.
        """
        for folder in (self.runtime.root, self.directory.parent):
            require_reach(self.account, folder)
        make_private_folder(self.account, self.directory)
        write_private(self.directory / "redis.conf", self._settings(), owner=self.account.owner)

    async def answers(self) -> bool:
        """Return whether the server answers a ping."""
        return await answers(self.url())

    def _settings(self) -> str:
        # noeviction: a full Redis refuses writes, which are counted and retried, where an eviction would silently take
        # a whole stream of events or all latest samples at once.
        return (
            "bind 127.0.0.1\n"
            f"port {self.port}\n"
            f"requirepass {self.password}\n"
            f'dir "{self.directory}"\n'
            'save ""\n'
            "appendonly no\n"
            f"maxmemory {self.memory_mib}mb\n"
            "maxmemory-policy noeviction\n"
            "daemonize no\n"
            "supervised no\n"
            "set-proc-title no\n"
            "locale-collate C\n"
        )


async def answers(url: str) -> bool:
    """Return whether the Redis at `url` accepts the login and answers a ping."""
    client = redis.asyncio.from_url(url, socket_connect_timeout=_CONNECT_TIMEOUT_S, socket_timeout=_CONNECT_TIMEOUT_S)
    try:
        return bool(await client.ping())
    except (redis.exceptions.RedisError, OSError):
        return False
    finally:
        await client.aclose()
