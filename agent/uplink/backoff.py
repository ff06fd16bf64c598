"""How long to wait before coming back. Full jitter: many agents that lost ingest at once must not return at once."""

import random

_HEALTHY_S = 60.0


class Backoff:
    """Waits between nothing and a bound that grows from `base_s` by `factor` to `cap_s`."""

    def __init__(self, *, rng: random.Random, base_s: float = 1.0, factor: float = 1.6, cap_s: float = 120.0) -> None:
        self._rng = rng
        self._base_s = base_s
        self._factor = factor
        self._cap_s = cap_s
        self._bound_s = base_s

    def next_s(self) -> float:
        """The next wait in seconds."""
        bound_s = self._bound_s
        self._bound_s = min(self._cap_s, bound_s * self._factor)
        return self._rng.uniform(0, bound_s)

    def longest_s(self) -> float:
        """The wait when coming back sooner can't help: the cap, and up to a tenth more."""
        return self._cap_s * self._rng.uniform(1.0, 1.1)

    def healthy(self, for_s: float) -> None:
        """A stream was open for `for_s` seconds; after a minute of health the bound begins anew."""
        if for_s >= _HEALTHY_S:
            self._bound_s = self._base_s
