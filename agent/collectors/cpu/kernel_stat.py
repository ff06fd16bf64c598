"""/proc/stat, which tells of processors and of processes created. It is dear on machines with many interrupts, so that
the collectors that need it share one reading per moment.
"""

from dataclasses import dataclass
from pathlib import Path

from agent.collectors.collector import Moment
from agent.collectors.proc_file import PROC, ProcFile


@dataclass(frozen=True, slots=True)
class KernelStat:
    """One reading. Times in ticks: user, nice, system, idle, iowait, irq, softirq, steal.

    Args:
        all_cores: times of all processors together.
        cores: times of each processor that is on line, by its number as text.
        processes_created: processes and threads created since the start.
    """

    all_cores: tuple[int, ...]
    cores: dict[str, tuple[int, ...]]
    processes_created: int


class KernelStatFile:
    """Reads it, at most once per moment."""

    def __init__(self, *, root: Path = PROC) -> None:
        self._file = ProcFile(root / "stat")
        self._moment: Moment | None = None
        self._reading: KernelStat | None = None

    def at(self, moment: Moment) -> KernelStat:
        """The reading of this moment. Raises OSError or ValueError."""
        if self._reading is None or self._moment is not moment:
            self._reading = parse(self._file.read())
            self._moment = moment
        return self._reading

    def close(self) -> None:
        """Close the file; whoever shares it opens it again."""
        self._file.close()


def parse(text: bytes) -> KernelStat:
    """Read the format of proc(5). Raises ValueError when it is not that."""
    cores: dict[str, tuple[int, ...]] = {}
    head, _, rest = text.partition(b"intr ")  # what follows is long and not needed, but for one line
    for line in head.splitlines():
        label, *numbers = line.split()
        # Columns nine and ten, guests, are contained in user and nice already. Old kernels write fewer than eight.
        ticks = tuple(map(int, numbers[:8]))
        cores[label.decode()] = ticks + (0,) * (8 - len(ticks))
    everything = cores.pop("cpu", None)
    if everything is None:
        raise ValueError("/proc/stat has no line `cpu`")
    created = rest[rest.index(b"\nprocesses ") + len(b"\nprocesses ") :].partition(b"\n")[0]
    return KernelStat(
        all_cores=everything,
        cores={label.removeprefix("cpu"): ticks for label, ticks in cores.items()},
        processes_created=int(created),
    )
