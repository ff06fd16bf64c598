"""Control groups of this machine's own kernel: a group named as docker names its containers is measured as one."""

import math
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.collectors.cgroups.hierarchy import CGROUPS, this_hierarchy
from agent.collectors.cgroups.split import SplitHierarchy
from agent.collectors.cgroups.unified import UnifiedHierarchy
from agent.collectors.cgroups.usage import Hierarchy
from agent.collectors.collector import Measured, Moment
from agent.collectors.containers.choice import ContainerChoice
from agent.collectors.containers.containers import ContainersCollector
from flick.clock import SystemClock
from flick.v1 import catalog_pb2 as catalog

MIB = 1024 * 1024
WORKS = "kept = bytearray(b'x') * (64 * 1024 * 1024); print('ready', flush=True)\nwhile True: pass"


@dataclass
class Contained:
    """A group with one process that keeps 64 MiB and works."""

    hierarchy: Hierarchy
    group: str
    process: subprocess.Popen[str]

    @property
    def short_id(self) -> str:
        return self.group.rpartition("/")[2][:12]


def controllers() -> list[Path]:
    """The folders in which a group has to be made: one of version 2, or one for each controller of version 1."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    wanted = {"cpu", "cpuacct", "memory", "blkio", "pids"}
    return [folder for folder in CGROUPS.iterdir() if wanted & set(folder.name.split(",")) and not folder.is_symlink()]


def remove(folder: Path) -> None:
    deadline = time.monotonic() + 10
    while folder.exists() and time.monotonic() < deadline:
        try:
            folder.rmdir()
        except OSError:  # its process is still on its way out
            time.sleep(0.02)


@pytest.fixture
def contained() -> Iterator[Contained]:
    hierarchy = this_hierarchy()
    if hierarchy is None or os.geteuid() != 0:
        pytest.skip("needs control groups, and root to make one")
    group = f"/flick-{uuid.uuid4().hex[:8]}/{uuid.uuid4().hex}{uuid.uuid4().hex}"
    folders = [Path(f"{folder}{group}") for folder in controllers()]
    try:
        for folder in folders:
            folder.mkdir(parents=True)
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    apart = ["unshare", "--net", sys.executable, "-c", WORKS]
    joins = "".join(f"echo $$ > {folder}/cgroup.procs; " for folder in folders)
    process = subprocess.Popen(["sh", "-c", f'{joins}exec "$@"', "sh", *apart], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            pytest.skip("no network of its own can be made here")
        yield Contained(hierarchy, group, process)
    finally:
        process.kill()
        process.communicate()
        for folder in folders:
            remove(folder)
            remove(folder.parent)


def now() -> Moment:
    clock = SystemClock()
    return Moment(monotonic_s=clock.monotonic_s(), boottime_s=clock.boottime_s())


def of(found: Measured, name: str) -> dict[object, float]:
    return {metric: value for (metric, (one,)), value in zip(found.series, found.values, strict=True) if one == name}


def test_a_container_s_work_and_memory_are_seen(contained: Contained) -> None:
    measuring = ContainersCollector(choice=ContainerChoice())
    began = now()
    measuring.collect(began)
    before_us = contained.hierarchy.cpu_us(contained.group)
    time.sleep(1)
    after_us = contained.hierarchy.cpu_us(contained.group)
    ended = now()
    found = of(measuring.collect(ended), contained.short_id)
    assert before_us is not None
    assert after_us is not None
    worked = (after_us - before_us) / 1e6 / (ended.monotonic_s - began.monotonic_s)

    assert worked > 0
    assert found[catalog.METRIC_CONTAINER_CPU] == pytest.approx(worked, rel=0.2, abs=0.05)
    assert found[catalog.METRIC_CONTAINER_MEMORY] >= 64 * MIB
    assert 60 * MIB <= found[catalog.METRIC_CONTAINER_MEMORY_WORKING_SET] <= found[catalog.METRIC_CONTAINER_MEMORY]
    assert math.isnan(found[catalog.METRIC_CONTAINER_MEMORY_LIMIT])
    assert found[catalog.METRIC_CONTAINER_TASKS] == 1
    assert found[catalog.METRIC_CONTAINER_NETWORK_RECEIVE] == 0.0


def test_version_2_tells_processor_time_as_the_process_itself_does() -> None:
    tree = next((path for path in (CGROUPS, CGROUPS / "unified") if (path / "cgroup.controllers").exists()), None)
    if tree is None or os.geteuid() != 0:
        pytest.skip("needs control groups of version 2, and root to make one")
    group = f"/flick-{uuid.uuid4().hex[:8]}"
    folder = Path(f"{tree}{group}")
    folder.mkdir()
    try:
        work = f"open('{folder}/cgroup.procs', 'w').write('0')\nimport time\nwhile time.process_time() < 0.5: pass"
        subprocess.run([sys.executable, "-c", work], check=True)
        used_us = UnifiedHierarchy(root=os.fspath(tree)).cpu_us(group)
    finally:
        remove(folder)

    assert used_us is not None
    assert 400_000 < used_us < 5_000_000


def test_a_group_that_is_not_there_tells_nothing() -> None:
    for hierarchy in (UnifiedHierarchy(root=os.fspath(CGROUPS)), SplitHierarchy(root=os.fspath(CGROUPS))):
        assert set(hierarchy.usage("/none-such")) == {None}
