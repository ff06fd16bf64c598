"""The processor, by /proc/cpuinfo."""

from pathlib import Path
from typing import NamedTuple

_MODEL_KEYS = ("model name", "cpu model", "cpu", "Model", "Hardware")  # x86, MIPS, POWER, ARM


class Processor(NamedTuple):
    """What it calls itself, how many logical processors and cores there are (0: not known), whether it is virtual."""

    model: str = ""
    logical_count: int = 0
    physical_count: int = 0
    has_hypervisor: bool = False


def processor(root: Path) -> Processor:
    """This machine's; `root`: below which /proc is."""
    try:
        return parse((root / "proc/cpuinfo").read_text(errors="replace"))
    except OSError:
        return Processor()


def parse(text: str) -> Processor:
    """Read the lines `key : value`; each architecture has keys of its own."""
    first: dict[str, str] = {}
    logical, cores, package = 0, set(), ""
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        first.setdefault(key, value)
        logical += key == "processor"
        if key == "physical id":
            package = value
        elif key == "core id":
            cores.add((package, value))
    model = next((first[key] for key in _MODEL_KEYS if first.get(key)), "")
    return Processor(" ".join(model.split()), logical, len(cores), "hypervisor" in first.get("flags", "").split())
