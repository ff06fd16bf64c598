"""Runs every check of the doctor and shows what they find."""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from deploy.local.addresses import DEFAULT_PORT
from deploy.local.doctor import machine, sources
from deploy.local.doctor.finding import Finding, Level, fail, ok
from deploy.local.machine.folders import default_cache_dir, default_data_dir
from deploy.local.storage import StorageSettings
from flick.config import ConfigError, load

_SIGNS = {Level.OK: "ok  ", Level.WARN: "warn", Level.FAIL: "FAIL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorOptions:
    """What is looked at: what `flick up` would be told.

    Args:
        data_dir: where everything would be kept; absent: the default.
        host: what the gateway would listen on.
        port: the gateway's port.
        json: JSON instead of words for people.
    """

    data_dir: Path | None = None
    host: str = "127.0.0.1"
    port: int | None = None
    json: bool = False


def run(options: DoctorOptions, *, environ: Mapping[str, str]) -> int:
    """Check everything, print it, and return the exit code: 1 when something keeps FLick from starting."""
    findings = asyncio.run(examine(options, environ=environ))
    (_print_json if options.json else _print)(findings, sys.stdout)
    return int(any(finding.level is Level.FAIL for finding in findings))


async def examine(options: DoctorOptions, *, environ: Mapping[str, str]) -> list[Finding]:
    """Return what every check finds."""
    data_dir = options.data_dir or default_data_dir(environ)
    cache_dir = default_cache_dir(environ)
    try:
        settings = load(StorageSettings, environ=environ)
        found = [ok("settings", "every FLICK_* setting is known")]
    except ConfigError as error:
        settings = StorageSettings(database_url=None, redis_url=None)
        found = [fail("settings", "a setting is wrong", mend=str(error))]
    found += [machine.python(), machine.virtual_environment(), machine.account()]
    found += [machine.folder("data directory", data_dir), machine.disk("disk", data_dir)]
    found += [machine.port(DEFAULT_PORT if options.port is None else options.port, host=options.host)]
    found += [machine.open_files()]
    existing = [await sources.existing_database(settings), await sources.existing_redis(settings)]
    found += [finding for finding in existing if finding is not None]
    if None in existing:
        found += [machine.folder("cache folder", cache_dir), *await sources.embedded(cache_dir)]
    return found


def _print(findings: list[Finding], stream: TextIO) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        stream.write(f"{_SIGNS[finding.level]}  {finding.name:<{width}}  {finding.detail}\n")
        if finding.mend:
            stream.write(f"      {'':<{width}}  → {finding.mend}\n")


def _print_json(findings: list[Finding], stream: TextIO) -> None:
    healthy = all(finding.level is not Level.FAIL for finding in findings)
    stream.write(json.dumps({"ok": healthy, "checks": [asdict(finding) for finding in findings]}, indent=2) + "\n")
