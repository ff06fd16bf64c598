"""How much processor time measuring may take, and which collectors go without when it takes more. Pure."""

from collections.abc import Mapping

from agent.budget.absences import KEPT, LOOKED_EVERY_S, Absences

CPU_SHARE = 0.05  # of one processor; to measure every second took 0.3 % with 90 processes


class CpuBudget:
    """Adds up what collectors take and sheds the costliest first.

    Args:
        share: how much of one processor all collectors together may take.
    """

    def __init__(self, *, share: float = CPU_SHARE) -> None:
        self._share = share
        self._since_s: float | None = None
        self._spent_s: dict[str, float] = {}
        self._absences = Absences()

    @property
    def shed(self) -> Mapping[str, str]:
        """Why, for each collector that is not asked now."""
        return self._absences.reasons

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
        if sum(shares.values()) > self._share:
            self._shed_costliest(shares, now_s)
        else:
            for name in self._absences.over(now_s):
                self._absences.end(name)

    def _shed_costliest(self, shares: Mapping[str, float], now_s: float) -> None:
        """As many as it takes for the rest to be within the budget."""
        total = left = sum(shares.values())
        for name, share in sorted(shares.items(), key=lambda one: -one[1]):
            if left <= self._share:
                return
            if name in KEPT or name in self.shed:
                continue
            left -= share
            reason = (
                f"left out to save processor time: it took {share:.1%} of a processor, all together {total:.1%} "
                f"of the {self._share:.1%} that they may"
            )
            self._absences.begin(name, reason, now_s)
