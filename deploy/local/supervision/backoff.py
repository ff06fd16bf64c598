"""How long to wait before a part that died is started again."""

import random

BASE_S = 0.5
FACTOR = 2.0
CAP_S = 30.0
HEALTHY_AFTER_S = 60.0  # a part that ran this long begins anew


class Backoff:
    """Exponential, with jitter from half to the whole of the wait, so that parts that died together return apart.

    Args:
        randomness: source of the jitter.
    """

    def __init__(self, *, randomness: random.Random) -> None:
        self._randomness = randomness
        self._deaths = 0

    def next_s(self, *, ran_s: float) -> float:
        """Return the wait after a death; `ran_s`: how long the part had run."""
        if ran_s >= HEALTHY_AFTER_S:
            self._deaths = 0
        whole = min(CAP_S, BASE_S * FACTOR**self._deaths)
        self._deaths = min(self._deaths + 1, 16)  # the power stays small; the cap is long reached
        return whole * self._randomness.uniform(0.5, 1.0)
