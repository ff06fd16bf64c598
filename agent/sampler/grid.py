"""The moments at which samples are taken: multiples of the interval since the Unix epoch. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment. `stored`: it lies on the grid of stored samples; otherwise it is for viewers only."""

    time_ns: int
    stored: bool


def next_tick(*, now_ns: int, last_ns: int, interval_ns: int, live_interval_ns: int | None) -> Tick:
    """The first moment after both `now_ns` and `last_ns` (the last sample's time).

    Args:
        now_ns: the present.
        last_ns: the last sample's time; times never repeat nor go back, even when `now_ns` does.
        interval_ns: between stored samples.
        live_interval_ns: between samples while somebody watches, None while nobody does.
    """
    after = max(now_ns, last_ns)
    stored = multiple_after(after, interval_ns)
    if live_interval_ns is not None:
        live = multiple_after(after, live_interval_ns)
        if live < stored:
            return Tick(time_ns=live, stored=False)
    return Tick(time_ns=stored, stored=True)


def multiple_after(time_ns: int, step_ns: int) -> int:
    """The first multiple of a step after a moment."""
    return (time_ns // step_ns + 1) * step_ns
