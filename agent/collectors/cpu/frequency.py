"""How fast processors run."""

import math
import os
import re
from pathlib import Path

from agent.collectors.collector import Measured, Moment, SeriesKey
from agent.collectors.proc_file import PROC, ProcFile
from agent.collectors.sys_file import names_in
from flick.v1 import catalog_pb2 as catalog

_HZ_PER_KHZ = 1_000
_HZ_PER_MHZ = 1_000_000
# The numbers of processors and their speeds, in turns; nothing else in the file begins so.
_CPUINFO = re.compile(rb"^(processor|cpu MHz)[ \t]*:[ \t]*([0-9]+(?:\.[0-9]+)?)[ \t]*$", re.MULTILINE)


class FrequencyCollector:
    """Reads /proc/cpuinfo where it tells speeds, as on x86, else the files of cpufreq; some machines have neither.

    cpuinfo comes first since kernels 4.14 to 5.17 on x86 measure for 10 ms at each processor's own file, but in cpuinfo
    for all processors at once.
    """

    name = "frequency"

    def __init__(self, *, root: Path = PROC, policies: Path = Path("/sys/devices/system/cpu/cpufreq")) -> None:
        self._cpuinfo = ProcFile(root / "cpuinfo")
        self._cpuinfo_tells = True
        self._folder = policies
        self._policies: dict[str, _Policy] = {}
        self._cpus: tuple[str, ...] = ()
        self._series: tuple[SeriesKey, ...] = ()

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        found = parse_cpuinfo(self._cpuinfo.read()) if self._cpuinfo_tells else {}
        if not found:
            self._cpuinfo_tells = False
            found = self._by_policy()
        if tuple(found) != self._cpus:
            self._cpus = tuple(found)
            self._series = tuple((catalog.METRIC_CPU_CORE_FREQUENCY, (cpu,)) for cpu in found)
        known = [hz for hz in found.values() if not math.isnan(hz)]
        core: dict[int, float] = {catalog.METRIC_CPU_FREQUENCY: sum(known) / len(known)} if known else {}
        return Measured(core=core, series=self._series, values=list(found.values()))

    def close(self) -> None:
        """See `Collector`."""
        self._cpuinfo.close()
        for policy in self._policies.values():
            policy.close()

    def _by_policy(self) -> dict[str, float]:
        names = [name for name in names_in(os.fspath(self._folder)) if name.startswith("policy")]
        if names != list(self._policies):
            self.close()
            self._policies = {name: _Policy(self._folder / name) for name in names}
        found: dict[str, float] = {}
        for policy in self._policies.values():
            found |= policy.read()
        return dict(sorted(found.items(), key=lambda one: int(one[0])))


class _Policy:
    """Processors that always run at the same speed."""

    def __init__(self, folder: Path) -> None:
        self._cpus = ProcFile(folder / "affected_cpus")
        self._khz = ProcFile(folder / "scaling_cur_freq")

    def read(self) -> dict[str, float]:
        """The speed in hertz by processor, of those that are on line; NaN where the driver does not tell it."""
        try:
            hz = float(self._khz.read()) * _HZ_PER_KHZ
        except (OSError, ValueError):  # `<unknown>`, or a processor that goes
            hz = math.nan
        return dict.fromkeys([cpu for cpu in self._cpus.read().decode().split() if cpu.isdecimal()], hz)

    def close(self) -> None:
        """Let go of its files."""
        self._cpus.close()
        self._khz.close()


def parse_cpuinfo(text: bytes) -> dict[str, float]:
    """The speed of each processor in hertz; nothing when it is not told."""
    found: dict[str, float] = {}
    cpu = ""
    for name, value in _CPUINFO.findall(text):
        if name == b"processor":
            cpu = value.decode()
        elif cpu:
            found[cpu] = float(value) * _HZ_PER_MHZ
    return found
