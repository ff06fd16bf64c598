"""What took the most over many snapshots of processes. Pure."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flick.errors import invalid
from flick.v1 import query_pb2
from services.query.rules.measured import processes

MAX_SNAPSHOTS = 100_000  # the contract; 55 µs each with 20 processes, so 6 s
MAX_LISTED = 200
DEFAULT_LISTED = 20
MAX_KEPT = (
    20_000  # programs, users and command lines; a server that starts a new one every second has some 90,000 a day
)


class Group(NamedTuple):
    """What tells processes apart that are not counted together."""

    name: str
    user: str
    command: str


@dataclass(slots=True)
class Taken:
    """What the processes of a group took, of all snapshots in which they were seen."""

    snapshots: int = 0
    cpu_total: float = 0.0
    cpu_most: float = 0.0
    memory_total: int = 0
    memory_most: int = 0
    processes_most: int = 0

    def add(self, cpu: float, memory: int, count: int) -> None:
        """Count one more snapshot."""
        self.snapshots += 1
        self.cpu_total += cpu
        self.cpu_most = max(self.cpu_most, cpu)
        self.memory_total += memory
        self.memory_most = max(self.memory_most, memory)
        self.processes_most = max(self.processes_most, count)


class Tally:
    """Counts what processes took, snapshot by snapshot.

    Args:
        by_memory: whether memory counts more than processor time, in order and in what is forgotten.
        max_kept: so many groups are remembered; beyond it the half that took the least is forgotten.
    """

    def __init__(self, *, by_memory: bool, max_kept: int = MAX_KEPT) -> None:
        self._by_memory = by_memory
        self._max_kept = max_kept
        self._groups: dict[Group, Taken] = {}
        self.incomplete = False

    def add(self, snapshots: Sequence[bytes]) -> None:
        """Take packed snapshots. Raises DATA_LOSS when one can't be read."""
        for packed in snapshots:
            self._add(packed)

    def most(self, limit: int) -> list[query_pb2.TopProcess]:
        """What took the most, that first."""
        return [_tell(group, self._groups[group]) for group in self._greatest(limit)]

    def _add(self, packed: bytes) -> None:
        together: dict[Group, tuple[float, int, int]] = {}
        for one in processes(packed):
            group = Group(one.name, one.user, one.command)
            cpu, memory, count = together.get(group, (0.0, 0, 0))
            together[group] = cpu + one.cpu_utilization, memory + one.memory_rss, count + 1
        for group, (cpu, memory, count) in together.items():
            self._groups.setdefault(group, Taken()).add(cpu, memory, count)
        if len(self._groups) > self._max_kept:
            self._groups = {group: self._groups[group] for group in self._greatest(self._max_kept // 2)}
            self.incomplete = True

    def _greatest(self, count: int) -> list[Group]:
        return heapq.nlargest(count, self._groups, key=self._rank)

    def _rank(self, group: Group) -> tuple[float, float, Group]:
        taken = self._groups[group]
        first, second = taken.cpu_total, taken.memory_total
        return (second, first, group) if self._by_memory else (first, second, group)


def check_limit(limit: int) -> int:
    """How many processes are listed. Raises INVALID_ARGUMENT when `limit` is out of range."""
    if limit and not 1 <= limit <= MAX_LISTED:
        raise invalid("limit", f"must be 1 to {MAX_LISTED}, or 0 for {DEFAULT_LISTED}.")
    return limit or DEFAULT_LISTED


def check_order(order: query_pb2.ProcessOrder.ValueType) -> bool:
    """Whether memory is what is ordered by. Raises INVALID_ARGUMENT when it is no order."""
    if order not in query_pb2.ProcessOrder.values():
        raise invalid("order_by", f"is {order}, which is none of ProcessOrder.")
    return order == query_pb2.PROCESS_ORDER_MEMORY


def _tell(group: Group, taken: Taken) -> query_pb2.TopProcess:
    return query_pb2.TopProcess(
        **group._asdict(),
        snapshot_count=taken.snapshots,
        cpu_utilization_average=taken.cpu_total / taken.snapshots,
        cpu_utilization_maximum=taken.cpu_most,
        memory_rss_average=taken.memory_total / taken.snapshots,
        memory_rss_maximum=taken.memory_most,
        process_count_maximum=taken.processes_most,
    )
