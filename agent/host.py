"""What the agent knows of its host, in OpenTelemetry's terms, and its own version."""

import platform
import re
import socket
import sys
from pathlib import Path

from flick.v1 import servers_pb2

_ARCH = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm32", "armv6l": "arm32", "i686": "x86", "i386": "x86"}
_INSTALLED = re.compile(r"flick(?:_agent)?-([^-]+)\.dist-info")  # the agent's own wheel, or the whole of FLick


def this_host() -> servers_pb2.Host:
    """This machine."""
    machine = platform.machine()
    return servers_pb2.Host(
        hostname=socket.gethostname(),
        os_type=platform.system().lower(),
        os_description=_os_description(),
        arch=_ARCH.get(machine, machine.lower()),
    )


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


def _os_description() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"
