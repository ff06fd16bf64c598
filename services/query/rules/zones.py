"""Time zones by name, as callers write them. Pure but for the system's list of zones."""

from functools import lru_cache
from zoneinfo import ZoneInfo

from flick.errors import invalid

UTC = ZoneInfo("UTC")


@lru_cache(maxsize=64)
def find_zone(name: str) -> ZoneInfo:
    """The zone of a name of the IANA list; empty: UTC. Raises INVALID_ARGUMENT when there is none."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError) as error:  # not listed; no name at all; a folder of the list
        shown = name if len(name) <= 60 else f"{name[:60]}…"
        raise invalid(
            "time_zone", f"{shown!r} is no time zone; write a name of the IANA list: Europe/Berlin."
        ) from error
