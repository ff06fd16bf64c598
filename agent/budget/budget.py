"""What the agent may take of its host, as all its sets of collectors go by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agent.budget.cpu import CpuBudget
from agent.budget.memory import MemoryBudget
from agent.budget.resident import give_back


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Processor time and memory.

    Args:
        cpu, memory: how much of each.
        resident_bytes: how much memory is held now; None: nobody minds. Raises OSError where that can't be told; then
            all is well.
        give_back: have what is free given back to the system.
    """

    cpu: CpuBudget = field(default_factory=CpuBudget)
    memory: MemoryBudget = field(default_factory=MemoryBudget)
    resident_bytes: Callable[[], int] | None = None
    give_back: Callable[[], None] = give_back

    def look(self, now_s: float, *, weights: Mapping[str, int]) -> None:
        """Decide, once a minute. `now_s`: monotonic seconds; `weights`: see `MemoryBudget.look`."""
        self.cpu.look(now_s)
        if self.resident_bytes is None or not self.memory.is_due(now_s):
            return
        if self.memory.on_trial:  # what the collector held is free now, but the process has it still
            self.give_back()
        try:
            held = self.resident_bytes()
        except OSError:
            return
        if self.memory.look(now_s, resident_bytes=held, weights=weights):
            self.give_back()
