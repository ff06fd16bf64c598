"""What a process of FLick told of itself at /metrics at one moment, and what two such pages say together. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from flick.histogram import quantile

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Page:
    """Values by name and labels, and when they were read (monotonic seconds)."""

    at_s: float
    values: Mapping[str, Mapping[Labels, float]]

    @classmethod
    def read(cls, text: str, *, at_s: float) -> "Page":
        """Take a page in the Prometheus text format. Raises ValueError when it is none."""
        values: dict[str, dict[Labels, float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                values.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
        return cls(at_s=at_s, values=values)

    def get(self, name: str) -> float | None:
        """All values of a name together; None when there is none."""
        found = self.values.get(name)
        return sum(found.values()) if found else None

    def labels(self, name: str) -> Mapping[str, str]:
        """The labels of the one value of a name; none when it is not there."""
        return dict(next(iter(self.values.get(name, {})), frozenset()))

    def where(self, name: str, label: str) -> Iterable[str]:
        """For which values of a label a name is more than 0."""
        return sorted(dict(labels)[label] for labels, value in self.values.get(name, {}).items() if value > 0)


@dataclass(frozen=True, slots=True)
class Span:
    """Two pages of the same process, the later one the newer."""

    before: Page
    after: Page

    @property
    def seconds(self) -> float:
        """How far they are apart."""
        return self.after.at_s - self.before.at_s

    def rate(self, name: str) -> float | None:
        """By how much a counter grew in a second, all labels together; None when not known, as after a restart."""
        grown = self._grown(name)
        return None if grown is None else sum(grown.values()) / self.seconds

    def quantile(self, name: str, share: float) -> float | None:
        """The value that such a share of what a histogram observed meanwhile did not exceed, as Prometheus does it.

        None when it observed nothing. What lies beyond the last bound counts as that bound.
        """
        grown = self._grown(f"{name}_bucket")
        if grown is None:
            return None
        counts: dict[float, float] = {}
        for labels, count in grown.items():
            bound = float(dict(labels)["le"])
            counts[bound] = counts.get(bound, 0.0) + count
        return quantile(sorted(counts.items()), share)

    def _grown(self, name: str) -> Mapping[Labels, float] | None:
        """By how much each value of a name grew; what was not there before counts from 0."""
        earlier, later = self.before.values.get(name), self.after.values.get(name)
        if not later or self.seconds <= 0:
            return None
        known = earlier or {}
        grown = {labels: value - known.get(labels, 0.0) for labels, value in later.items()}
        return None if min(grown.values()) < 0 else grown
