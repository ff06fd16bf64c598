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
        return cls.told(f"{type(error).__name__}: {error}", collector=collector, since_s=since_s)

    @classmethod
    def told(cls, reason: str, *, collector: str, since_s: float) -> "Failure":
        """A failure in words, which like the collector's name may hold such bytes."""
        return cls(_text(collector), _text(reason), since_s)


def _text(text: str) -> str:
    return text.encode(errors="replace").decode()
