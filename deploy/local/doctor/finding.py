"""What a check of the doctor finds."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How grave a finding is: FAIL keeps FLick from starting, WARN does not."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the doctor.

    Args:
        name: what was looked at.
        level: how it is.
        detail: what was found.
        mend: what to do about it; empty when nothing is to be done.
    """

    name: str
    level: Level
    detail: str
    mend: str = ""


def ok(name: str, detail: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(name=name, level=Level.OK, detail=detail)


def warn(name: str, detail: str, *, mend: str) -> Finding:
    """Return a finding that FLick starts in spite of."""
    return Finding(name=name, level=Level.WARN, detail=detail, mend=mend)


def fail(name: str, detail: str, *, mend: str) -> Finding:
    """Return a finding that keeps FLick from starting."""
    return Finding(name=name, level=Level.FAIL, detail=detail, mend=mend)
