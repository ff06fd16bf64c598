"""Where FLick keeps things on this machine when it is not told: data for good, cache for what can be fetched again."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """Return /var/lib/flick for root, otherwise `flick` below XDG_DATA_HOME (~/.local/share)."""
    if os.geteuid() == 0:
        return Path("/var/lib/flick")
    return _base(environ, "XDG_DATA_HOME", ".local/share") / "flick"


def default_cache_dir(environ: Mapping[str, str]) -> Path:
    """Return /var/cache/flick for root, otherwise `flick` below XDG_CACHE_HOME (~/.cache)."""
    if os.geteuid() == 0:
        return Path("/var/cache/flick")
    return _base(environ, "XDG_CACHE_HOME", ".cache") / "flick"


def _base(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    named = environ.get(variable, "")
    # The XDG specification tells to ignore relative paths.
    return Path(named) if named.startswith("/") else Path.home() / below_home


def default_runtime_dir(environ: Mapping[str, str]) -> Path:
    """Return where sockets get a short path: /run for root, otherwise XDG_RUNTIME_DIR or the temporary folder."""
    if os.geteuid() == 0:
        return Path("/run")
    named = environ.get("XDG_RUNTIME_DIR", "")
    return Path(named) if named.startswith("/") and Path(named).is_dir() else Path(tempfile.gettempdir())
