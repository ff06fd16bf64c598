"""A small file system of one's own, which can be filled to the last byte and freed again."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.machine.process import run

_BALLAST = "ballast"
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class SmallDisk:
    """A mounted file system; `folder` is its root."""

    folder: Path

    def free_bytes(self) -> int:
        """What is left."""
        state = os.statvfs(self.folder)
        return state.f_bavail * state.f_frsize

    def fill(self, *, leave_bytes: int = 0) -> None:
        """Take what is free, but for `leave_bytes`."""
        with (self.folder / _BALLAST).open("ab") as ballast:
            while (room := self.free_bytes() - leave_bytes) > 0:
                ballast.write(b"\0" * min(room, _CHUNK_BYTES))
                ballast.flush()

    def free(self) -> None:
        """Give back what `fill` took."""
        (self.folder / _BALLAST).unlink(missing_ok=True)


class NoSmallDiskError(Exception):
    """There can be none here. The text says why."""


@asynccontextmanager
async def small_disk(folder: Path, *, size_mib: int) -> AsyncIterator[SmallDisk]:
    """An empty file system in memory, mounted at `folder`. Whoever used it must have ended before it is left.

    Raises NoSmallDiskError where none can be mounted.
    """
    if os.geteuid() != 0:
        raise NoSmallDiskError("mounting a file system needs root")
    folder.mkdir(exist_ok=True)
    code, output = await run("mount", "-t", "tmpfs", "-o", f"size={size_mib}m,mode=0755", "tmpfs", folder)
    if code != 0:
        raise NoSmallDiskError(f"mounting a file system is not allowed here: {output.strip()}")
    try:
        yield SmallDisk(folder=folder)
    finally:
        await _unmount(folder)


async def _unmount(folder: Path) -> None:
    for _ in range(50):
        code, output = await run("umount", folder)
        if code == 0:
            return
        await asyncio.sleep(0.1)  # a process that was just killed may hold it for a moment
    raise AssertionError(output)
