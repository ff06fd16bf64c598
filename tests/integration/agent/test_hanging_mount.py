"""A file system that never answers, as one whose disk is dying or whose server is gone: the agent goes on."""

import ctypes
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.collection import Collection
from agent.collectors.aside import AsideCollector
from agent.collectors.collector import Moment
from agent.collectors.cpu.load import LoadCollector
from agent.collectors.failure import Failure
from agent.collectors.storage.filesystem import FilesystemCollector
from agent.worker import Worker
from flick.v1 import catalog_pb2 as catalog

LIBC = ctypes.CDLL(None, use_errno=True)
MNT_DETACH = 2  # linux/fs.h


@dataclass
class Mounted:
    """A mount whose file system is a program that answers nothing, until it is gone."""

    folder: Path
    device: int

    def go(self) -> None:
        """The program ends: whoever waits for it hears so."""
        if self.device >= 0:
            os.close(self.device)
            self.device = -1


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[Mounted]:
    folder = tmp_path / "hanging"
    folder.mkdir()
    if os.geteuid() != 0 or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("mounting a file system that hangs needs root and /dev/fuse")
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    mounted = Mounted(folder=folder, device=device)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    if LIBC.mount(b"hanging", os.fsencode(folder), b"fuse", 0, options) != 0:
        mounted.go()
        pytest.skip(f"this machine does not let us mount: {os.strerror(ctypes.get_errno())}")
    try:
        yield mounted
    finally:
        mounted.go()
        LIBC.umount2(os.fsencode(folder), MNT_DETACH)


def test_a_mount_that_hangs_leaves_a_hole_of_file_systems_and_no_other(hanging: Mounted, tmp_path: Path) -> None:
    table = tmp_path / "self" / "mountinfo"
    table.parent.mkdir()
    (tmp_path / "disk").mkdir()
    lines = "21 1 0:2 / / rw - rootfs rootfs rw\n27 1 254:0 / {0}/disk rw - ext4 /dev/vda rw\n"
    table.write_text((lines + "28 1 254:1 / {0}/hanging rw - ext4 /dev/vdb rw\n").format(tmp_path))
    aside = AsideCollector(collector=FilesystemCollector(root=tmp_path), worker=Worker())
    with Collection(collectors=[aside, LoadCollector()]) as collection:
        hung = [collection.collect(Moment(monotonic_s=second, boottime_s=second)) for second in (1.0, 2.0, 3.0)]
        failing = collection.failing
        hanging.go()
        second, found = 4.0, hung[-1]
        while not found.series:
            found = collection.collect(Moment(monotonic_s=second, boottime_s=second))
            second += 1

    assert [one.series for one in hung] == [(), (), ()]
    assert failing == [Failure("filesystem", "TimeoutError: no answer within 0.5 s", 1.0)]
    assert collection.failing == []
    assert not any(math.isnan(one.core[catalog.METRIC_LOAD_1M - 1]) for one in hung)
    assert found.series[0] == (catalog.METRIC_FILESYSTEM_USED, ("/dev/vda", f"{tmp_path}/disk"))
    assert not any(map(math.isnan, found.values[:3]))
