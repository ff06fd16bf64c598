"""Which version of control groups this machine has."""

import os
from pathlib import Path

from agent.collectors.cgroups.split import SplitHierarchy
from agent.collectors.cgroups.unified import UnifiedHierarchy
from agent.collectors.cgroups.usage import Hierarchy

CGROUPS = Path("/sys/fs/cgroup")


def this_hierarchy(root: Path = CGROUPS) -> Hierarchy | None:
    """The machine's control groups; None when there are none, as in some containers.

    Where both versions are mounted the first has the controllers, and so what is used.
    """
    if (root / "cgroup.controllers").exists():
        return UnifiedHierarchy(root=os.fspath(root))
    split = SplitHierarchy(root=os.fspath(root))
    return split if split.tree else None
