"""/proc/stat, which tells of processors and of what they switch between. It is dear on machines with many interrupts,
so that the collectors that need it share one reading per moment.
"""

from dataclasses import dataclass
from pathlib import Path

from agent.collectors.proc_file import PROC, ProcFile, number_of
from agent.collectors.shared_file import SharedFile


@dataclass(frozen=True, slots=True)
class KernelStat:
    """One reading. Times in ticks: user, nice, system, idle, iowait, irq, softirq, steal.

    Args:
        all_cores: times of all processors together.
        cores: times of each processor that is on line, by its number as text.
        interrupts, context_switches, processes_created: so many since the start; threads count as processes.
        threads_runnable, threads_blocked: so many now.

    What the kernel does not tell is None.
    """

    all_cores: tuple[int, ...]
    cores: dict[str, tuple[int, ...]]
    interrupts: int | None
    context_switches: int | None
    processes_created: int | None
    threads_runnable: int | None
    threads_blocked: int | None


class KernelStatFile(SharedFile[KernelStat]):
    """Reads it, at most once per moment."""

    def __init__(self, *, root: Path = PROC) -> None:
        super().__init__(file=ProcFile(root / "stat"), parse=parse)


def parse(text: bytes) -> KernelStat:
    """Read the format of proc_stat(5). Raises ValueError when it is not that."""
    cores: dict[str, tuple[int, ...]] = {}
    head, _, rest = text.partition(b"intr ")  # the rest of that line is long and not needed
    for line in head.splitlines():
        if not line.startswith(b"cpu"):
            continue
        label, *numbers = line.split()
        # Columns nine and ten, guests, are contained in user and nice already. Old kernels write fewer than eight.
        ticks = tuple(map(int, numbers[:8]))
        cores[label.decode(errors="replace")] = ticks + (0,) * (8 - len(ticks))
    everything = cores.pop("cpu", None)
    if everything is None:
        raise ValueError("/proc/stat has no line `cpu`")
    return KernelStat(
        all_cores=everything,
        cores={label.removeprefix("cpu"): ticks for label, ticks in cores.items()},
        interrupts=int(rest.split(None, 1)[0]) if rest else None,
        context_switches=number_of(rest, b"ctxt"),
        processes_created=number_of(rest, b"processes"),
        threads_runnable=number_of(rest, b"procs_running"),
        threads_blocked=number_of(rest, b"procs_blocked"),
    )
