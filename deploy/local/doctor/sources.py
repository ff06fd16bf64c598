"""Checks of where TimescaleDB and Redis come from: Debian's archive, the cache, or servers that exist already."""

import asyncio
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from pathlib import Path

from deploy.local.doctor.finding import Finding, fail, ok, warn
from deploy.local.embedded import apt, database
from deploy.local.embedded import redis as embedded_redis
from deploy.local.embedded.runtime import CODENAME, cached_runtime
from deploy.local.errors import LocalError
from deploy.local.machine.process import run
from deploy.local.storage import StorageSettings

_TIMEOUT_S = 8.0
TOLERATED_CLOCK_S = 10.0  # ingest refuses samples from further ahead than this


async def existing_database(settings: StorageSettings) -> Finding | None:
    """Judge the database that FLICK_DATABASE_URL names; None when it names none."""
    if settings.database_url is None:
        return None
    try:
        if await database.answers(settings.database_url):
            return ok("database", "the one that FLICK_DATABASE_URL names answers")
    except LocalError as error:
        return fail("database", str(error), mend="correct FLICK_DATABASE_URL")
    return fail(
        "database", "the one that FLICK_DATABASE_URL names does not answer", mend="start it, or correct the address"
    )


async def existing_redis(settings: StorageSettings) -> Finding | None:
    """Judge the Redis that FLICK_REDIS_URL names; None when it names none."""
    if settings.redis_url is None:
        return None
    if await embedded_redis.answers(settings.redis_url):
        return ok("redis", "the one that FLICK_REDIS_URL names answers")
    return fail("redis", "the one that FLICK_REDIS_URL names does not answer", mend="start it, or correct the address")


async def embedded(cache_dir: Path) -> list[Finding]:
    """Judge whether TimescaleDB and Redis are there or can be fetched, and, on the way, the clock."""
    cached = await cached_runtime(cache_dir)
    if cached is not None:
        versions = cached.versions()
        parts = ", ".join(f"{name} {versions[name]}" for name in ("postgresql-17-timescaledb", "redis-server"))
        return [ok("runtime", f"{parts} in {cached.root}")]
    try:
        source = await apt.find_source(CODENAME)
    except LocalError as error:
        return [fail("debian", "TimescaleDB and Redis cannot be fetched here", mend=str(error))]
    found = [ok("debian", f"packages come from the system's own mirror, signed by {source.keyring.name}")]
    if await _proxy():
        found.append(
            warn("network", "apt uses a proxy, which this check does not", mend="run `apt-get update` to try it")
        )
        return found
    return found + await asyncio.to_thread(_mirror, source)


async def _proxy() -> bool:
    _, output = await run("apt-config", "dump", "Acquire::http::Proxy", "Acquire::https::Proxy")
    return '"' in output.replace('""', "")


def _mirror(source: apt.Source) -> list[Finding]:
    """Ask the mirror for Debian 13's index; its answer also tells the time."""
    url = f"{source.mirror.rstrip('/')}/dists/{source.codename}/InRelease"
    if not url.startswith(("http://", "https://")):
        return [ok("network", f"not needed: the mirror is {source.mirror}")]
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_TIMEOUT_S) as answer:  # noqa: S310 - the scheme is checked above
            date = answer.headers.get("Date")
    except urllib.error.HTTPError as error:
        mend = f"choose a full Debian mirror in /etc/apt: this one does not carry Debian 13 ({source.codename})"
        return [fail("network", f"the mirror answers {error.code}", mend=mend)]
    except OSError as error:
        return [
            fail(
                "network", f"the mirror cannot be reached: {error}", mend="check the network and /etc/apt/sources.list"
            )
        ]
    return [ok("network", "the mirror answers"), *([clock(date, now_s=time.time())] if date else [])]


def clock(date: str, *, now_s: float) -> Finding:
    """Judge this machine's clock by an HTTP date, which is exact to a second."""
    offset_s = now_s - parsedate_to_datetime(date).timestamp()
    if abs(offset_s) <= TOLERATED_CLOCK_S:
        return ok("clock", "agrees with the mirror's")
    direction = "ahead of" if offset_s > 0 else "behind"
    return warn(
        "clock",
        f"{abs(offset_s):.0f} s {direction} the mirror's",
        mend="synchronise it, for example with the package systemd-timesyncd: history and tokens carry its time",
    )
