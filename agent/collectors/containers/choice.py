"""Which containers are measured: looked for at a calm rhythm, once for all sets of collectors."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from agent.calm import Calm
from agent.collectors.cgroups.hierarchy import CGROUPS, this_hierarchy
from agent.collectors.containers.identity import SHORT_ID_LENGTH, Container, container_at
from agent.collectors.containers.names import ContainerNames
from agent.collectors.roster import Roster

LOOKED_EVERY_S = 15.0
MAX_CONTAINERS = 60
_SHORT_LIVED_S = 60.0
_KEPT_S = 60.0  # as long as one may take that is started anew
_MAX_GROUPS = 5000  # what is looked through at most
_MAX_DEPTH = 10

Containers = Mapping[str, Container]
"""By name, those that use most memory first."""


class ContainerChoice:
    """The sixty containers that use most memory, without those that live for less than a minute.

    Args:
        find: looks for all containers.
    """

    def __init__(self, *, find: Callable[[], Containers] | None = None) -> None:
        self._found = Calm(ask=find or find_containers, every_s=LOOKED_EVERY_S)
        self._roster = Roster(most=MAX_CONTAINERS, wait_s=_SHORT_LIVED_S, keep_s=_KEPT_S)
        self._containers: Containers | None = None
        self._chosen: tuple[Container, ...] = ()

    def at(self, now_s: float) -> Sequence[Container]:
        """The chosen containers by name, the very same object until it was looked again. `now_s`: monotonic.

        One that has gone a moment ago has no group. Raises OSError and TimeoutError.
        """
        containers = self._found.latest(now_s)
        if containers is not None and containers is not self._containers:
            self._containers = containers
            names = self._roster.update(list(containers), now_s=now_s)
            self._chosen = tuple(containers.get(name) or Container("", "", name) for name in names)
        return self._chosen


def find_containers(*, cgroups: Path = CGROUPS, root: Path = Path("/")) -> Containers:
    """Every container of this machine; `root`: below which runtimes keep their files. Raises OSError."""
    hierarchy = this_hierarchy(cgroups)
    if hierarchy is None:
        return {}
    names, found = ContainerNames(root=root), {}
    for container in sorted(_in_tree(hierarchy.tree)):
        name = names.of(container)
        if name is not None:
            unique = name if name not in found else f"{name} {container.id[:SHORT_ID_LENGTH]}"
            found[unique] = container._replace(name=unique)
    return dict(sorted(found.items(), key=lambda one: -(hierarchy.memory(one[1].group) or 0)))


def _in_tree(tree: str) -> Iterator[Container]:
    """The containers of a tree of groups, without those that run within others."""
    waiting = [("", 0)]
    for _ in range(_MAX_GROUPS):
        if not waiting:
            return
        group, depth = waiting.pop()
        container = container_at(group)
        if container is not None:
            yield container
        elif depth < _MAX_DEPTH:
            waiting += [(f"{group}/{name}", depth + 1) for name in _folders(tree + group)]


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:  # it has gone this moment
        return []
