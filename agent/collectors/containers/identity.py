"""Which control groups are containers, by the names that runtimes give them. Pure."""

import re
from typing import NamedTuple

SHORT_ID_LENGTH = 12  # as runtimes shorten ids

# docker-ID.scope, libpod-ID.scope, cri-containerd-ID.scope, crio-ID.scope, SLICE:cri-containerd:ID, or the id alone
_BY_ID = re.compile(r"(?:.*[:/])?(?:(?P<prefix>[a-z][a-z-]*)[-:])?(?P<id>[0-9a-f]{64})(?:\.scope)?")
_LXC = re.compile(r"lxc\.payload\.(?P<name>.+)")
_NSPAWN = re.compile(r"systemd-nspawn@(?P<name>.+)\.service")
_NO_CONTAINERS = {"libpod-conmon", "crio-conmon"}  # what watches over one


class Container(NamedTuple):
    """A container: its control group, its id as the runtime calls it, and its name; empty as long as nobody told it."""

    group: str
    id: str
    name: str = ""


def container_at(group: str) -> Container | None:
    """The container that a control group is, by its path; None when it is none."""
    parent, _, last = group.rpartition("/")
    found = _BY_ID.fullmatch(last)
    if found is not None:
        return None if found["prefix"] in _NO_CONTAINERS else Container(group, found["id"])
    found = _LXC.fullmatch(last) or _NSPAWN.fullmatch(last)
    if found is not None:
        return Container(group, found["name"], found["name"])
    return Container(group, last, last) if parent == "/lxc" and last else None
