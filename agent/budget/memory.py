"""How much memory the agent may hold, and what it lets go of when it holds more. Pure.

Most of the agent's memory is Python, gRPC and protobuf, which no collector can give back: so each that goes is a trial,
and one without which as much is held comes back and is left alone.
"""

from collections.abc import Mapping

from agent.budget.absences import KEPT, LOOKED_EVERY_S, Absences

MEMORY_BYTES = 80 * 1024 * 1024  # it takes 45 MB, and up to 16 more while its spool is in memory
LEAST_BYTES = 16 * 1024 * 1024  # less than Python itself with what it can't do without
HELPED_BYTES = 256 * 1024  # less may be chance
_MB = 1_000_000


class MemoryBudget:
    """Looks once a minute. Too much is held: first what is free is given back, then collectors go, one a minute.

    Args:
        most_bytes: how much the agent may hold, resident.
    """

    def __init__(self, *, most_bytes: int = MEMORY_BYTES) -> None:
        self._most_bytes = most_bytes
        self._looked_at_s: float | None = None
        self._gave_back = False
        self._tried: tuple[str, int] | None = None  # who went at the last look, and what was held then
        self._absences = Absences()
        self._useless = Absences()  # their absence changed nothing
        self._remark = ""

    @property
    def shed(self) -> Mapping[str, str]:
        """Why, for each collector that is to be let go of now."""
        return self._absences.reasons

    @property
    def remark(self) -> str:
        """Why too much is held although nothing is left to let go of; empty while that is not so."""
        return self._remark

    @property
    def on_trial(self) -> bool:
        """Whether a collector has gone, and it is to be seen whether that helps."""
        return self._tried is not None

    def is_due(self, now_s: float) -> bool:
        """Whether a minute has passed. `now_s`: monotonic seconds."""
        return self._looked_at_s is None or now_s - self._looked_at_s >= LOOKED_EVERY_S

    def look(self, now_s: float, *, resident_bytes: int, weights: Mapping[str, int]) -> bool:
        """Decide; whether what is free is to be given back to the system, and nothing else is done.

        Args:
            now_s: monotonic seconds.
            resident_bytes: what the agent holds.
            weights: about how much each collector holds; only their order counts.
        """
        self._looked_at_s = now_s
        if resident_bytes <= self._most_bytes:
            self._rest(now_s)
            return False
        self._judge(now_s, resident_bytes)
        if not self._gave_back:
            self._gave_back = True
            return True
        self._shed_heaviest(now_s, resident_bytes, weights)
        return False

    def _rest(self, now_s: float) -> None:
        """All is well: one of those that are away may come back."""
        self._gave_back, self._tried, self._remark = False, None, ""
        for name in self._absences.over(now_s)[:1]:
            self._absences.end(name)

    def _judge(self, now_s: float, resident_bytes: int) -> None:
        """Whether it helped that the last one went."""
        for name in self._useless.over(now_s):
            self._useless.end(name)
        if self._tried is None:
            return
        (name, before_bytes), self._tried = self._tried, None
        if before_bytes - resident_bytes < HELPED_BYTES:
            self._absences.end(name)
            self._useless.begin(name, "", now_s)

    def _shed_heaviest(self, now_s: float, resident_bytes: int, weights: Mapping[str, int]) -> None:
        away = KEPT | self._absences.reasons.keys() | self._useless.reasons.keys()
        left = {name: weight for name, weight in weights.items() if weight and name not in away}
        held = f"the agent holds {resident_bytes / _MB:.1f} MB of the {self._most_bytes / _MB:.1f} MB that it may"
        if not left:
            self._remark = self._remark or f"{held}, and to leave out collectors does not change that"
            return
        heaviest = max(left, key=lambda name: left[name])
        self._absences.begin(heaviest, f"left out to save memory: {held}", now_s)
        self._tried = heaviest, resident_bytes
