"""Fetching TimescaleDB and Redis: half a build is never taken for whole, and one build is enough for all."""

import asyncio
import fcntl
from pathlib import Path

import pytest

from deploy.local.embedded.runtime import Runtime, cached_runtime, ensure_runtime
from deploy.local.errors import LocalError
from deploy.local.machine.process import run


def ignore(_what: str, _fraction: float | None) -> None:
    return


async def test_the_programs_use_their_own_c_library(runtime: Runtime) -> None:
    _, output = await run(runtime.postgres("psql"), "--version")
    _, libraries = await run(
        next(runtime.root.glob("usr/lib/*/ld-linux*.so.*")), "--list", runtime.postgres("postgres")
    )

    assert "17." in output
    assert str(runtime.root) in next(line for line in libraries.splitlines() if "libc.so.6" in line)


async def test_a_cached_runtime_is_used_without_asking_anyone(runtime: Runtime) -> None:
    told: list[str] = []
    again = await ensure_runtime(cache_dir=runtime.root.parent, progress=lambda what, _fraction: told.append(what))

    assert again == runtime
    assert told == []


async def test_a_folder_without_its_manifest_is_not_a_runtime(tmp_path: Path, runtime: Runtime) -> None:
    half = tmp_path / runtime.root.name
    half.mkdir()
    for part in ("usr", "etc"):
        if (runtime.root / part).exists():
            (half / part).symlink_to(runtime.root / part)

    assert await cached_runtime(tmp_path) is None


async def test_a_runtime_with_a_damaged_program_is_not_used(tmp_path: Path, runtime: Runtime) -> None:
    damaged = Runtime(root=tmp_path / runtime.root.name)
    for program in (damaged.postgres("postgres"), damaged.redis("redis-server")):
        program.parent.mkdir(parents=True)
        program.write_bytes(b"")
    (damaged.root / "manifest.json").write_text("{}")

    assert await cached_runtime(tmp_path) is None


async def test_a_second_start_waits_for_the_one_that_fetches(tmp_path: Path) -> None:
    told = asyncio.Event()
    with (tmp_path / "runtime.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = asyncio.create_task(
            ensure_runtime(
                cache_dir=tmp_path, progress=lambda what, _f: told.set() if "another start" in what else None
            )
        )
        await asyncio.wait_for(told.wait(), timeout=5)
        waiting.cancel()
        await asyncio.wait({waiting})

    assert waiting.cancelled()


async def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(LocalError, match=r"cache folder .*/file/cache cannot be used"):
        await ensure_runtime(cache_dir=tmp_path / "file/cache", progress=ignore)
