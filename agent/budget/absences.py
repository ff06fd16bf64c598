"""Which collectors are away, why, and when each may come back. Pure."""

from collections.abc import Mapping, Sequence

LOOKED_EVERY_S = 60.0
AWAY_FOR_S = 600.0
AWAY_AT_MOST_S = 86_400.0
KEPT = frozenset({"agent", "cpu", "load", "memory"})  # cheap, and what everybody asks for first


class Absences:
    """Each is for ten minutes, and for twice as long as before when it comes again; a day at most."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        self._back_at_s: dict[str, float] = {}
        self._lasted_s: dict[str, float] = {}  # of each that ever was away, the last time

    @property
    def reasons(self) -> Mapping[str, str]:
        """Why, for each that is away."""
        return self._reasons

    def begin(self, name: str, reason: str, now_s: float) -> None:
        """It goes. `now_s`: monotonic seconds, as everywhere here."""
        self._lasted_s[name] = min(2 * self._lasted_s.get(name, AWAY_FOR_S / 2), AWAY_AT_MOST_S)
        self._back_at_s[name] = now_s + self._lasted_s[name]
        self._reasons[name] = reason

    def over(self, now_s: float) -> Sequence[str]:
        """Those that have been away for long enough."""
        return [name for name, back_at_s in self._back_at_s.items() if now_s >= back_at_s]

    def end(self, name: str) -> None:
        """It is back."""
        del self._back_at_s[name], self._reasons[name]
