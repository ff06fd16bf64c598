"""How long to wait before trying again, for whoever lost something that others lost at the same moment."""

import random

HEALTHY_S = 60.0


class Backoff:
    """Waits up to a bound that grows from `base_s` by `factor` to `cap_s`, spread so that many don't return at once.

    Args:
        rng: spreads the waits.
        base_s, cap_s: the first bound and the last, in seconds.
        factor: by how much the bound grows with each wait.
        least: the smallest share of the bound that is waited; 0 spreads best ("full jitter"), 1 not at all.
    """

    def __init__(self, *, rng: random.Random, base_s: float, factor: float, cap_s: float, least: float = 0.0) -> None:
        self._rng = rng
        self._base_s = base_s
        self._factor = factor
        self._cap_s = cap_s
        self._least = least
        self._bound_s = base_s

    def next_s(self) -> float:
        """The next wait in seconds."""
        bound_s = self._bound_s
        self._bound_s = min(self._cap_s, bound_s * self._factor)
        return self._rng.uniform(self._least * bound_s, bound_s)

    def longest_s(self) -> float:
        """The wait when coming back sooner can't help: the cap, and up to a tenth more."""
        return self._cap_s * self._rng.uniform(1.0, 1.1)

    def healthy(self, for_s: float) -> None:
        """It went well for `for_s` seconds; after a minute of health the bound begins anew."""
        if for_s >= HEALTHY_S:
            self._bound_s = self._base_s
