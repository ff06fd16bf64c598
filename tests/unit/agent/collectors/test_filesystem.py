"""Which file systems of a mountinfo are measured."""

import os
from pathlib import Path

import pytest

from agent.collectors.storage import filesystem
from agent.collectors.storage.filesystem import FilesystemCollector
from tests.unit.agent.collectors.moments import at

MOUNTS = """\
21 1 0:2 / / rw - rootfs rootfs rw
22 27 0:21 / /proc rw shared:1 - proc proc rw
25 24 0:23 / {0}/shm rw - tmpfs tmpfs rw
27 1 254:0 / {0}/root rw shared:2 - ext4 /dev/vda rw
28 27 254:0 /srv/data {0}/bound rw shared:3 - ext4 /dev/vda rw
29 27 254:0 / {0}/a rw shared:3 - ext4 /dev/vda rw
30 27 7:0 / {0}/snap ro - squashfs /dev/loop0 ro
31 27 7:1 / {0}/image rw - ext4 /dev/loop1 rw
32 27 0:40 / {0}/share rw - nfs4 server:/export rw
33 27 0:41 / {0}/overlay rw - overlay overlay rw
34 27 0:42 /@ {0}/btrfs rw - btrfs /dev/mapper/pool rw
35 27 0:43 /@home {0}/btrfs-home rw - btrfs /dev/mapper/pool rw
36 27 0:44 / {0}/tank rw - zfs tank rw
37 27 0:45 / {0}/tank-home rw - zfs tank/home rw
38 27 254:1 / {0}/with\\040space rw - xfs /dev/vdb rw
39 27 254:2 /etc/hosts {0}/hosts rw - ext4 /dev/vdc rw
40 27 254:3 / {0}/gone rw - ext4 /dev/vdd rw
"""


def real(tmp_path: Path) -> dict[str, str]:
    for name in ("root", "bound", "a", "snap", "image", "share", "overlay", "btrfs", "btrfs-home", "tank", "tank-home"):
        (tmp_path / name).mkdir()
    (tmp_path / "with space").mkdir()
    (tmp_path / "hosts").touch()
    found = filesystem.real_mounts(MOUNTS.format(tmp_path).encode())
    return {Path(mount.mountpoint).name: mount.device for mount in found}


def test_local_file_systems_that_hold_data_are_taken_each_once(tmp_path: Path) -> None:
    assert real(tmp_path) == {
        "a": "/dev/vda",
        "btrfs": "/dev/mapper/pool",
        "tank": "tank",
        "tank-home": "tank/home",
        "with space": "/dev/vdb",
    }


def test_a_containers_root_is_an_overlay_and_is_taken() -> None:
    found = filesystem.real_mounts(b"1 0 0:50 / / rw - overlay overlay rw\n2 1 0:51 / /dev rw - tmpfs tmpfs rw\n")

    assert [(mount.device, mount.mountpoint) for mount in found] == [("overlay", "/")]


def test_a_root_that_the_table_does_not_tell_of_is_measured_as_in_a_chroot(tmp_path: Path) -> None:
    number = Path("/").stat().st_dev
    if not os.major(number):
        pytest.skip("the root of this machine has no device number")
    line = f"27 1 {os.major(number)}:{os.minor(number)} /part {tmp_path} rw - ext4 /dev/disk rw\n"
    alone, beside = filesystem.real_mounts(b""), filesystem.real_mounts(line.encode())

    assert [mount.mountpoint for mount in alone] == ["/"]
    assert [(mount.device, mount.mountpoint) for mount in beside] == [("/dev/disk", "/")]


def test_a_file_system_that_is_mounted_later_gets_its_series(tmp_path: Path) -> None:
    table = tmp_path / "self" / "mountinfo"
    table.parent.mkdir()
    (tmp_path / "disk").mkdir()
    root = "21 1 0:2 / / rw - rootfs rootfs rw\n"
    table.write_text(root)
    collector = FilesystemCollector(root=tmp_path)
    before = collector.collect(at(1))
    table.write_text(f"{root}27 1 254:0 / {tmp_path}/disk rw - ext4 /dev/vda rw\n")
    found = collector.collect(at(2))

    assert before.series == ()
    assert [metric for metric, _ in found.series] == [510, 511, 512, 513, 514, 515]
    assert collector.collect(at(3)).series is found.series
    for used, free, share in (found.values[:3], found.values[3:]):
        assert used > 0
        assert share == pytest.approx(used / (used + free))
