"""How much processor time measuring may take, and which collectors go without when it takes more. Pure."""

from collections.abc import Mapping

CPU_SHARE = 0.05  # of one processor; to measure every second took 0.3 % with 90 processes
LOOKED_EVERY_S = 60.0
SHED_FOR_S = 600.0
SHED_AT_MOST_S = 86_400.0
KEPT = frozenset({"agent", "cpu", "load", "memory"})  # cheap, and what everybody asks for first


class Budget:
    """Adds up what collectors take and sheds the costliest first; each comes back after ten minutes.

    One that has to be shed again stays away for twice as long as before, a day at most.

    Args:
        cpu_share: how much of one processor all collectors together may take.
    """

    def __init__(self, *, cpu_share: float = CPU_SHARE) -> None:
        self._cpu_share = cpu_share
        self._since_s: float | None = None
        self._spent_s: dict[str, float] = {}
        self._back_at_s: dict[str, float] = {}  # of those that are shed
        self._away_s: dict[str, float] = {}  # for how long each that ever was shed stayed away last
        self._reasons: dict[str, str] = {}

    @property
    def shed(self) -> Mapping[str, str]:
        """Why, for each collector that is not asked now."""
        return self._reasons

    def spend(self, collector: str, cpu_s: float) -> None:
        """A collector took this much processor time, in seconds."""
        self._spent_s[collector] = self._spent_s.get(collector, 0.0) + cpu_s

    def look(self, now_s: float) -> None:
        """Decide, once a minute, by what was spent since. `now_s`: monotonic seconds."""
        if self._since_s is None:
            self._since_s, self._spent_s = now_s, {}
        passed_s = now_s - self._since_s
        if passed_s < LOOKED_EVERY_S:
            return
        shares = {name: spent_s / passed_s for name, spent_s in self._spent_s.items()}
        self._since_s, self._spent_s = now_s, {}
        if sum(shares.values()) > self._cpu_share:
            self._shed_costliest(shares, now_s)
        else:
            for name in [name for name, back_at_s in self._back_at_s.items() if now_s >= back_at_s]:
                del self._back_at_s[name], self._reasons[name]

    def _shed_costliest(self, shares: Mapping[str, float], now_s: float) -> None:
        """As many as it takes for the rest to be within the budget."""
        total = left = sum(shares.values())
        for name, share in sorted(shares.items(), key=lambda one: -one[1]):
            if left <= self._cpu_share:
                return
            if name in KEPT or name in self._reasons:
                continue
            left -= share
            self._away_s[name] = min(2 * self._away_s.get(name, SHED_FOR_S / 2), SHED_AT_MOST_S)
            self._back_at_s[name] = now_s + self._away_s[name]
            self._reasons[name] = (
                f"left out to save processor time: it took {share:.1%} of a processor, all together {total:.1%} "
                f"of the {self._cpu_share:.1%} that they may"
            )
