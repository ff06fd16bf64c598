"""The gaps that wait to be told. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from agent.spool.epochs import Epochs
from agent.spool.frame import Loss

INSTANT_NS = 1_000  # what storage keeps apart


@dataclass(slots=True)
class Losses:
    """In the order in which they are told; only the last one may be open."""

    all: list[Loss] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether the last one reaches to the next sample."""
        return bool(self.all) and not self.all[-1].end_ns

    def add(self, loss: Loss, *, most: int) -> None:
        """Have a loss told, as part of one before where they meet, or when there are `most` already."""
        alike = next((other for other in reversed(self.all) if other.reason == loss.reason), None)
        meets = alike is not None and loss.dropped and alike.end_ns == loss.start_ns
        if alike is not None and (meets or len(self.all) >= most):
            self._join(alike, loss)
        elif self.open:
            self.all.insert(-1, _ended(loss))
        else:
            self.all.append(loss)

    def end(self, *, time_ns: int, sample_id: int) -> bool:
        """The next sample is there; whether one was open."""
        if not self.open:
            return False
        last = self.all[-1]
        last.end_ns, last.end_id = max(last.start_ns, time_ns), sample_id
        return True

    def next(self) -> Loss | None:
        """The first one, taken out; None while there is none but an open one."""
        return self.all.pop(0) if self.all and self.all[0].end_ns else None

    def settle(self, epochs: Epochs, settling: Callable[[], None]) -> None:
        """Move the times as `settling` moves those of the samples by whose clock they were told."""
        edges = {sample_id for loss in self.all for sample_id in (loss.start_id, loss.end_id)}
        before = {sample_id: epochs.shift_of(sample_id) for sample_id in edges}
        settling()
        for loss in self.all:
            loss.start_ns += epochs.shift_of(loss.start_id) - before[loss.start_id]
            moved_ns = epochs.shift_of(loss.end_id) - before[loss.end_id]
            loss.end_ns = loss.end_ns and max(loss.start_ns, loss.end_ns + moved_ns)

    def _join(self, alike: Loss, loss: Loss) -> None:
        alike.dropped += loss.dropped
        alike.start_ns, alike.start_id = min((alike.start_ns, alike.start_id), (loss.start_ns, loss.start_id))
        if not loss.end_ns and alike is self.all[-1]:
            alike.end_ns = alike.end_id = 0
        else:
            end = _ended(loss)
            alike.end_ns, alike.end_id = max((alike.end_ns, alike.end_id), (end.end_ns, end.end_id))


def _ended(loss: Loss) -> Loss:
    return replace(loss, end_ns=loss.end_ns or loss.start_ns + INSTANT_NS, end_id=loss.end_id or loss.start_id)
