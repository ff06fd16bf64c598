"""What /proc, /sys and /run of some machines hold; `recorded/README.md` tells where the figures come from."""

import struct
from collections.abc import Mapping
from pathlib import Path

from agent.collectors.collector import Collector
from agent.collectors.cpu.activity import ActivityCollector
from agent.collectors.cpu.frequency import FrequencyCollector
from agent.collectors.cpu.kernel_stat import KernelStatFile
from agent.collectors.cpu.load import LoadCollector
from agent.collectors.cpu.utilization import CpuCollector
from agent.collectors.memory.memory import MemoryCollector
from agent.collectors.memory.paging import PagingCollector
from agent.collectors.network.interfaces import NetworkCollector
from agent.collectors.network.snmp import SnmpFile
from agent.collectors.network.sockets import SocketsCollector, SockstatFile
from agent.collectors.network.tcp import TcpCollector
from agent.collectors.network.udp import UdpCollector
from agent.collectors.storage.disks import DiskCollector
from agent.collectors.system.open_files import OpenFilesCollector
from agent.collectors.system.pressure import PressureCollector
from agent.collectors.system.sessions import SessionsCollector

RECORDED = Path(__file__).with_name("recorded")
CORES = 128

_IDLE = "\nctxt 9\nbtime 1\nprocesses 3\nprocs_running 1\nprocs_blocked 0"
_UDP = "Udp: InDatagrams OutDatagrams InErrors"
_NET_HEAD = "Inter-|   Receive\n face |bytes\n"


def collectors(root: Path) -> list[Collector]:
    """Everything that reads files, of a machine whose files are below `root`."""
    proc, stat, snmp = root / "proc", KernelStatFile(root=root / "proc"), SnmpFile(root=root / "proc")
    return [
        CpuCollector(stat=stat),
        FrequencyCollector(root=proc, policies=root / "sys/devices/system/cpu/cpufreq"),
        ActivityCollector(stat=stat),
        LoadCollector(root=proc),
        PressureCollector(root=proc),
        MemoryCollector(root=proc),
        PagingCollector(root=proc),
        DiskCollector(root=proc, blocks=root / "sys/block"),
        NetworkCollector(root=proc, devices=root / "sys/class/net"),
        TcpCollector(snmp=snmp),
        UdpCollector(snmp=snmp, root=proc),
        SocketsCollector(sockstat=SockstatFile(root=proc)),
        OpenFilesCollector(root=proc),
        SessionsCollector(run=root / "run"),
    ]


def utmp(*types: int, record_bytes: int = 384) -> bytes:
    """A utmp(5) with records of these types."""
    return b"".join(struct.pack("<hxxi", kind, 1).ljust(record_bytes, b"\0") for kind in types)


def many_cores(*, second: int) -> Mapping[str, str]:
    """A server with 128 processors whose speeds cpufreq tells, NVMe disks below a RAID and a volume, and containers.

    Every second each NVMe disk reads 1,000 times 8 sectors in 100 ms and is busy for 500 ms, each container's cable
    carries traffic, and the interface loses 3 packets of 1,000.
    """
    busy, idle = 25 * second, 75 * second
    stat = [f"cpu  {busy * CORES} 0 0 {idle * CORES} 0 0 0 0 0 0"]
    stat += [f"cpu{number} {busy} 0 0 {idle} 0 0 0 0 0 0" for number in range(CORES)]
    stat += [f"intr {1000 * second} 1 2 3", f"ctxt {5000 * second}", "btime 1", f"processes {10 * second}"]
    stat += ["procs_running 17", "procs_blocked 3", "softirq 1 2"]
    used = f"{1000 * second} 0 {8000 * second} {100 * second} 0 0 0 0 9 {500 * second} {2000 * second} 0 0 0 0 0 0"
    never = "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"
    disks = [f"259 {number} nvme{number}n1 {used}" for number in range(2)]
    disks += [f"259 9 nvme0n1p1 {used}", f"9 127 md127 {used}", f"253 0 dm-0 {used}", f"253 1 dm-1 {used}"]
    disks += [f"0 0 nvme0c1n1 {used}", f"0 0 nvme7c1n1 {used}", f"259 7 nvme7n1 {never}"]
    disks += [f"7 0 loop0 {used}", f"1 0 ram0 {used}", f"11 0 sr0 {used}", f"252 0 zram0 {used}", f"43 0 nbd0 {never}"]
    line = f"{1000 * second} {1000 * second} 0 {3 * second} 0 0 0 0 0 0 {2 * second} 0 0 0 0 0"
    names = ("lo", "eno1", "bond0", "veth12ab", "cali3f", "lxc99", "eni7", "docker0")
    whole = ("nvme0n1", "nvme1n1", "nvme7n1", "nvme0c1n1", "nvme7c1n1", "md127", "dm-0", "dm-1", "loop0", "nbd0")
    return {
        "proc/stat": "\n".join(stat),
        "proc/cpuinfo": "".join(f"processor\t: {number}\nBogoMIPS\t: 50.00\n\n" for number in range(CORES)),
        "proc/loadavg": "31.50 30.25 29.00 18/4021 98765",
        "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 500 kB\nMemAvailable: 800 kB\nBuffers: 10 kB\nCached: 290 kB",
        "proc/vmstat": f"nr_free_pages 1\npswpin 0\npswpout {7 * second}\npgmajfault 5\noom_kill 0",
        "proc/diskstats": "\n".join(f" {line}" for line in disks),
        "proc/net/dev": _NET_HEAD + "\n".join(f"{name:>6}: {line}" for name in names),
        "proc/net/snmp": f"Tcp: CurrEstab RetransSegs\nTcp: 5 {40 * second}\n{_UDP}\nUdp: 1 2 3",
        "proc/net/sockstat": "sockets: used 90321\nTCP: inuse 5 orphan 0 tw 7 alloc 9 mem 1",
        "proc/pressure/cpu": f"some avg10=0.00 avg60=0.00 avg300=0.00 total={250_000 * second}",
        "proc/pressure/memory": "some avg10=0.00 total=0\nfull avg10=0.00 total=0",
        "proc/pressure/io": f"some avg10=0.00 total={100_000 * second}\nfull avg10=0.00 total={50_000 * second}",
        "proc/sys/fs/file-nr": "51200\t0\t9223372036854775807",
        **{f"sys/block/{name}/size": "1000" for name in whole},
        **{f"sys/block/nvme{number}n1/device/model": "x" for number in (0, 1, 7)},
        "sys/block/nvme0c1n1/device/model": "x",
        "sys/block/nvme7c1n1/device/model": "x",
        "sys/block/dm-0/dm/name": "vg-root",
        "sys/block/dm-1/dm/name": "docker-259:3-1234-a1b2",
        "sys/class/net/eno1/device/vendor": "x",
        **{f"sys/devices/system/cpu/cpufreq/policy{n}/affected_cpus": f"{n} {n + 1}" for n in range(0, CORES, 2)},
        **{f"sys/devices/system/cpu/cpufreq/policy{n}/scaling_cur_freq": "3000000" for n in range(2, CORES, 2)},
        "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "<unknown>",
    }


# A container whose runtime hides /sys/block, on a kernel that was built without pressure and has IPv6 switched off.
CONTAINER = {
    "proc/stat": "cpu  5 0 5 90 0 0 0 0 0 0\ncpu0 5 0 5 90 0 0 0 0 0 0\nintr 7" + _IDLE,
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: ARMv8",
    "proc/loadavg": "0.10 0.20 0.30 1/9 12",
    "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 500 kB\nMemAvailable: 800 kB\nBuffers: 0 kB\nCached: 200 kB",
    "proc/vmstat": "nr_free_pages 1\npgmajfault 5",
    "proc/diskstats": " 259 0 nvme0n1 5 0 40 1 5 0 40 1 0 1 2 0 0 0 0 0 0",
    "proc/net/dev": _NET_HEAD + "  eth0: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0",
    "proc/net/snmp": "Tcp: CurrEstab RetransSegs\nTcp: 5 0\nUdp: InDatagrams OutDatagrams InErrors\nUdp: 1 2 0",
    "proc/net/sockstat": "sockets: used 9",
    "proc/sys/fs/file-nr": "512\t0\t100000",
}  # fmt: skip

# As Linux 2.6.32 writes them: fewer columns in `stat`, `diskstats` and `snmp`, no estimate of available memory.
OLD_KERNEL = {
    "proc/stat": "cpu  5 0 5 90 0 0 0 0\ncpu0 5 0 5 90 0 0 0 0\nintr 7 0 0" + _IDLE,
    "proc/cpuinfo": "processor\t: 0\ncpu MHz\t\t: 1600.000\n",
    "proc/loadavg": "0.10 0.20 0.30 1/9 12",
    "proc/meminfo": "MemTotal: 1000 kB\nMemFree: 500 kB\nBuffers: 0 kB\nCached: 200 kB",
    "proc/vmstat": "nr_free_pages 1\npswpin 4\npswpout 5\npgmajfault 5",
    "proc/diskstats": " 1 0 ram0 0 0 0 0 0 0 0 0 0 0 0\n 8 0 sda 5 0 40 1 5 0 40 1 0 1 2\n 8 1 sda1 5 40 5 40",
    "proc/net/dev": _NET_HEAD + "  eth0:1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0",
    "proc/net/snmp": f"Tcp: CurrEstab RetransSegs\nTcp: 5 0\n{_UDP}\nUdp: 1 2 0",
    "proc/net/sockstat": "sockets: used 9\nTCP: inuse 5 orphan 0 tw 7 alloc 9 mem 1",
    "proc/sys/fs/file-nr": "512\t0\t100000",
    "sys/block/sda/device/model": "x",
    "sys/class/net/eth0/device/vendor": "x",
}  # fmt: skip
