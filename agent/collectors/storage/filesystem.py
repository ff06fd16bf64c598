"""Space and inodes on file systems: the local ones that hold data, each once."""

import math
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from agent.collectors.collector import Measured, Moment, SeriesKey
from agent.collectors.proc_file import PROC, ProcFile
from flick.v1 import catalog_pb2 as catalog

_METRICS = (
    catalog.METRIC_FILESYSTEM_USED,
    catalog.METRIC_FILESYSTEM_FREE,
    catalog.METRIC_FILESYSTEM_UTILIZATION,
    catalog.METRIC_FILESYSTEM_INODES_USED,
    catalog.METRIC_FILESYSTEM_INODES_FREE,
    catalog.METRIC_FILESYSTEM_INODES_UTILIZATION,
)
_UNKNOWN = (math.nan,) * len(_METRICS)
_NO_BLOCK_DEVICE = b"0"
_WITHOUT_BLOCK_DEVICE = {b"btrfs", b"zfs", b"bcachefs"}  # local, though the kernel gives them no device number
_ALWAYS_FULL = {b"squashfs", b"iso9660", b"udf", b"erofs", b"cramfs"}  # images, made full


@dataclass(frozen=True, slots=True, order=True)
class Mount:
    """A mounted file system. Ordered by how well it stands for its device: whole before part, short before long."""

    is_part: bool
    length: int
    mountpoint: str
    device: str


class FilesystemCollector:
    """Reads /proc/self/mountinfo and asks each file system.

    Network file systems are left out: asking one whose server is away blocks for good.
    """

    name = "filesystem"

    def __init__(self, *, root: Path = PROC) -> None:
        self._file = ProcFile(root / "self/mountinfo")
        self._table = b""
        self._mounts: tuple[Mount, ...] = ()
        self._series: tuple[SeriesKey, ...] = ()

    def collect(self, moment: Moment) -> Measured:
        """See `Collector`."""
        table = self._file.read()
        if table != self._table:
            self._mounts = real_mounts(table)
            self._table = table
            self._series = tuple(
                (metric, (mount.device, mount.mountpoint)) for mount in self._mounts for metric in _METRICS
            )
        return Measured(series=self._series, values=[value for mount in self._mounts for value in _space(mount)])

    def close(self) -> None:
        """See `Collector`."""
        self._file.close()


def _space(mount: Mount) -> tuple[float, ...]:
    try:
        found = os.statvfs(mount.mountpoint)
    except OSError:  # unmounted this moment, or not ours to ask
        return _UNKNOWN
    used = (found.f_blocks - found.f_bfree) * found.f_frsize
    return (*_shares(used, found.f_bavail * found.f_frsize), *_inodes(found))


def _inodes(found: "os.statvfs_result") -> tuple[float, float, float]:
    if not found.f_files:  # btrfs, vfat and others make them as needed
        return (math.nan, math.nan, math.nan)
    return _shares(found.f_files - found.f_ffree, found.f_favail)


def _shares(used: int, free: int) -> tuple[float, float, float]:
    return (used, free, used / (used + free) if used + free else math.nan)


def real_mounts(table: bytes) -> tuple[Mount, ...]:
    """The file systems of a mountinfo (proc_pid_mountinfo(5)) that are measured, by mount point."""
    best: dict[bytes, Mount] = {}
    root_is_told = False
    for line in table.splitlines():
        before, _, after = line.partition(b" - ")
        fields, (kind, source, *_) = before.split(b" "), after.split(b" ")
        root, mountpoint = fields[3], _unescape(fields[4])
        root_is_told = root_is_told or mountpoint == "/"
        identity = _identity(fields[2], kind, source, mountpoint)
        if identity is None or not _is_folder(mountpoint):  # containers mount single files
            continue
        mount = Mount(root != b"/", len(mountpoint), mountpoint, _unescape(source))
        best[identity] = min(mount, best.get(identity, mount))
    if not root_is_told:
        _add_root(best)
    return tuple(sorted(_visible(best.values()), key=lambda mount: mount.mountpoint))


def _add_root(best: dict[bytes, Mount]) -> None:
    """In a chroot the table does not tell of the root."""
    number = Path("/").stat().st_dev
    identity = f"{os.major(number)}:{os.minor(number)}"
    if os.major(number):
        part = best.get(identity.encode())
        best[identity.encode()] = Mount(False, 1, "/", part.device if part is not None else identity)


def _identity(device_number: bytes, kind: bytes, source: bytes, mountpoint: str) -> bytes | None:
    """What tells one file system from another, None for those that are not measured."""
    if kind in _ALWAYS_FULL or source.startswith(b"/dev/loop"):
        return None
    if device_number.partition(b":")[0] != _NO_BLOCK_DEVICE:
        return device_number
    if kind in _WITHOUT_BLOCK_DEVICE or (kind == b"overlay" and mountpoint == "/"):  # a container's root
        return source
    return None


def _visible(mounts: Iterable[Mount]) -> Iterable[Mount]:
    """Of two that lie on the same mount point only the upper can be seen; the table names it last."""
    return {mount.mountpoint: mount for mount in mounts}.values()


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116 - Path.is_dir raises for a disk that has failed
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # it has failed, and may come back: until then its values are holes
        return True


def _unescape(text: bytes) -> str:
    for code, character in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        text = text.replace(code, character)
    return text.decode(errors="replace")
