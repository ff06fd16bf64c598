"""By which clock samples were timed, and by how much their times are moved once the clock is corrected. Pure."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

_APART_NS = 10**9  # between the last sample of a moved epoch and the first of the next


@dataclass(frozen=True, slots=True)
class Mark:
    """How the agent's clock is set.

    Args:
        boot_id: the boot that it counts from.
        offset_ns: what is added to the boot clock to get the time since the Unix epoch.
        corrected: whether it is ingest's time; otherwise this machine's wall clock as it was when the agent started.
    """

    boot_id: str
    offset_ns: int
    corrected: bool


@dataclass(slots=True)
class Epoch:
    """Samples in a row that were timed by the same clock.

    Args:
        first_id: the first sample's number.
        first_ns, last_ns: the first and last sample's time as it was told; 0 without samples.
        shift_ns: what is added.
        provisional: whether the clock was not corrected.
    """

    first_id: int
    provisional: bool
    first_ns: int = 0
    last_ns: int = 0
    shift_ns: int = 0

    @property
    def start_ns(self) -> int:
        """The first sample's time as it counts."""
        return self.first_ns + self.shift_ns

    @property
    def end_ns(self) -> int:
        """The last sample's time as it counts."""
        return self.last_ns + self.shift_ns


@dataclass(slots=True)
class Epochs:
    """In the order of the samples. There is always a current one."""

    all: list[Epoch] = field(default_factory=lambda: [Epoch(1, provisional=False)])

    @property
    def last_ns(self) -> int:
        """The last sample's time; 0 without samples."""
        return next((epoch.end_ns for epoch in reversed(self.all) if epoch.first_ns), 0)

    def shift_of(self, sample_id: int) -> int:
        """What is added to this sample's time."""
        return next((epoch.shift_ns for epoch in reversed(self.all) if epoch.first_id <= sample_id), 0)

    def begin(self, first_id: int, *, provisional: bool) -> None:
        """Samples from this number on are timed by another clock."""
        if not self.all[-1].first_ns:
            self.all.pop()
        self.all.append(Epoch(first_id, provisional))

    def note(self, time_ns: int) -> bool:
        """A sample was taken by the current clock; whether it is the first."""
        current = self.all[-1]
        first = not current.first_ns
        if first:
            current.first_ns = time_ns
        current.last_ns = time_ns
        return first

    def settle(self, *, next_id: int, moved_ns: int, now_ns: int) -> None:
        """The current clock was corrected by `moved_ns` and says `now_ns`: move what it timed.

        Samples of earlier clocks that were never corrected keep their times unless they would not come before.
        """
        if self.all[-1].provisional:
            self.all[-1].shift_ns += moved_ns
        filled = [epoch for epoch in self.all if epoch.first_ns]
        before_ns = now_ns
        for epoch in reversed(filled):
            if epoch.provisional and epoch.end_ns >= before_ns:
                epoch.shift_ns -= epoch.end_ns + _APART_NS - before_ns
            before_ns = epoch.start_ns
        for earlier, later in pairwise(filled):
            if later.start_ns <= earlier.end_ns:
                later.shift_ns += earlier.end_ns + _APART_NS - later.start_ns
        for epoch in self.all:
            epoch.provisional = False
        self.begin(next_id, provisional=False)

    def forget_before(self, sample_id: int) -> None:
        """No sample below this number is asked for any more."""
        while len(self.all) > 1 and self.all[1].first_id <= sample_id and self.all[1].first_ns:
            del self.all[0]

    def as_json(self) -> list[Any]:
        """For `from_json`."""
        return [
            [epoch.first_id, epoch.provisional, epoch.first_ns, epoch.last_ns, epoch.shift_ns] for epoch in self.all
        ]

    @classmethod
    def from_json(cls, document: list[Any]) -> "Epochs":
        """What `as_json` gave."""
        return cls([Epoch(*parts) for parts in document])
