"""What the agent knows of its host, in OpenTelemetry's terms, and its own version."""

import importlib.metadata
import platform
import socket
from contextlib import suppress

from flick.v1 import servers_pb2

_ARCH = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm32", "armv6l": "arm32", "i686": "x86", "i386": "x86"}
_DISTRIBUTIONS = ("flick-agent", "flick")  # the agent's own wheel, or the whole of FLick


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
    """The installed version; `0` when the agent runs out of a source tree that is not installed."""
    for name in _DISTRIBUTIONS:
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return "0"


def _os_description() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"
