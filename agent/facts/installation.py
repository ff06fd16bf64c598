"""The installed system: when it was started, how much memory it has, and what tells it from any other."""

import re
from pathlib import Path

_MACHINE_ID = re.compile(r"[0-9a-f]{32}")
_PRETTY_NAME = re.compile(r"""^PRETTY_NAME=(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+))[ \t]*$""", re.MULTILINE)
_ESCAPED = re.compile(r"\\(.)")
_KEY = b"flick machine id"  # machine-id(5): to be shown to others only as a keyed hash


def os_name(root: Path) -> str:
    """The operating system in words, by os-release(5); empty where there is none. Unlike `platform`'s it is no copy."""
    text = _text(root / "etc/os-release") or _text(root / "usr/lib/os-release")
    found = _PRETTY_NAME.search(text)
    return _ESCAPED.sub(r"\1", found[1] or found[2] or found[3]) if found else ""


def boot_time_s(root: Path) -> int | None:
    """When the system was started, in seconds since the Unix epoch by its own clock; None: not known."""
    return _number(root / "proc/stat", r"^btime (\d+)$")


def memory_bytes(root: Path) -> int | None:
    """Physical memory; None: not known."""
    kib = _number(root / "proc/meminfo", r"^MemTotal: +(\d+) kB$")
    return None if kib is None else kib * 1024


def machine_id(root: Path) -> str:
    """A keyed hash of the machine id, 32 hexadecimal digits; empty where there is none."""
    found = _MACHINE_ID.fullmatch(_text(root / "etc/machine-id").strip())
    if found is None:
        return ""
    try:
        from _blake2 import blake2s  # hashlib has the same, and brings OpenSSL, which takes megabytes
    except ImportError:
        from hashlib import blake2s
    return str(blake2s(found[0].encode(), key=_KEY, digest_size=16).hexdigest())


def _number(path: Path, pattern: str) -> int | None:
    found = re.search(pattern, _text(path), re.MULTILINE)
    return None if found is None else int(found[1])


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
