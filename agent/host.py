"""What the agent knows of its host, in OpenTelemetry's terms, and its own version."""

import platform
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from agent.facts.addresses import addresses
from agent.facts.installation import boot_time_s, machine_id, memory_bytes, os_name
from agent.facts.processor import processor
from agent.facts.virtualization import virtualization
from agent.worker import Worker
from flick.v1 import servers_pb2

_ARCH = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm32", "armv6l": "arm32", "i686": "x86", "i386": "x86"}
_FACT_LENGTH = 200  # services/auth/rules/joining.py takes no more
_SAME_BOOT_S = 60  # the kernel works out when it started from the wall clock, which is corrected now and then
_INSTALLED = re.compile(r"flick(?:_agent)?-([^-]+)\.dist-info")  # the agent's own wheel, or the whole of FLick


def this_host(*, root: Path = Path("/")) -> servers_pb2.Host:
    """This machine; what can't be found out is left empty. `root`: below which /proc, /sys, /etc and /run are."""
    machine = platform.machine()
    host = servers_pb2.Host(
        hostname=socket.gethostname(),
        os_type=platform.system().lower(),
        os_description=_plain(os_name(root)) or f"{platform.system()} {platform.release()}",
        arch=_ARCH.get(machine, machine.lower()),
        kernel_release=platform.release(),
    )
    if sys.platform == "linux":
        _add_facts(host, root)
    else:
        from agent.facts.portable import add_facts  # psutil is only needed there

        add_facts(host)
    return host


def _add_facts(host: servers_pb2.Host, root: Path) -> None:
    cpu = processor(root)
    host.cpu_model = _plain(cpu.model)
    host.cpu_logical_count, host.cpu_physical_count = cpu.logical_count, cpu.physical_count
    host.memory_limit = memory_bytes(root) or 0
    host.virtualization = _plain(virtualization(root, has_hypervisor=cpu.has_hypervisor))
    host.addresses.extend(addresses(root))
    boot_s = boot_time_s(root)
    if boot_s is not None:
        host.boot_time.seconds = boot_s
    host.machine_id = machine_id(root)


def _plain(text: str) -> str:
    """What firmware says, so that auth takes it: printable, and not too long."""
    return "".join(letter for letter in text if letter.isprintable()).strip()[:_FACT_LENGTH]


def agent_version() -> str:
    """The installed version; `0` when the agent runs out of a source tree that is not installed.

    Read from the folder's name, since importlib.metadata brings an e-mail parser and archives: measured 2.4 MB.
    """
    for folder in map(Path, sys.path):
        for entry in folder.glob("flick*.dist-info") if folder.is_dir() else ():
            installed = _INSTALLED.fullmatch(entry.name)
            if installed:
                return installed.group(1)
    return "0"


class KnownHost:
    """This machine as it is now: addresses, names and versions change while the agent runs.

    Args:
        ask: what finds it out.
        worker: on which it is asked: some of it stands on a disk, which may hang.
    """

    def __init__(self, *, ask: Callable[[], servers_pb2.Host], worker: Worker) -> None:
        self._ask = ask
        self._worker = worker
        self._known = servers_pb2.Host()

    def now(self) -> servers_pb2.Host:
        """What is known now; where it can't be found out in time, what was known last, which at first is nothing."""
        known = self._known
        try:
            found = self._worker.run(self._ask)
        except (OSError, ValueError):
            return known
        both = found.HasField("boot_time") and known.HasField("boot_time")
        if both and abs(found.boot_time.seconds - known.boot_time.seconds) <= _SAME_BOOT_S:
            found.boot_time.CopyFrom(known.boot_time)
        self._known = found
        return found
