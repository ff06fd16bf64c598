"""A collector that can't measure, as the log, `flick-agent check` and FLick are told of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed and why, in words; `since_s`: by the boot clock, in seconds."""

    collector: str
    reason: str
    since_s: float

    @classmethod
    def by(cls, error: Exception, *, collector: str, since_s: float) -> "Failure":
        """The failure that an error is. Names of files may hold bytes that are no text: they are replaced."""
        reason = f"{type(error).__name__}: {error}"
        return cls(collector, reason.encode(errors="replace").decode(), since_s)
