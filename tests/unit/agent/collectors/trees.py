"""Parts of /proc and /sys as machines have them, written into a folder."""

from collections.abc import Mapping
from pathlib import Path


def grow(root: Path, files: Mapping[str, str]) -> Path:
    """Write each file below `root`; a text that begins with `-> ` becomes a link to what follows. Returns `root`."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text.removeprefix("-> "))
        else:
            path.write_text(text if text.endswith("\n") else text + "\n")
    return root


# A laptop: a processor with two cores, a disk, a fan, a battery, its mains and a mouse's battery. As in
# Documentation/ABI/testing/sysfs-class-power and Documentation/hwmon/sysfs-interface of the kernel.
LAPTOP = {
    "hwmon/hwmon0/name": "acpitz",
    "hwmon/hwmon0/device": "-> ../../thermal/thermal_zone0",
    "hwmon/hwmon0/temp1_input": "45000",
    "hwmon/hwmon1/name": "nvme",
    "hwmon/hwmon1/device": "-> ../../../devices/pci0000:00/0000:01:00.0/nvme/nvme0",
    "hwmon/hwmon1/temp1_input": "38850",
    "hwmon/hwmon1/temp1_label": "Composite",
    "hwmon/hwmon1/temp2_input": "41850",
    "hwmon/hwmon1/temp2_label": "Sensor 1",
    "hwmon/hwmon2/name": "thinkpad",
    "hwmon/hwmon2/device": "-> ../../../devices/platform/thinkpad_hwmon",
    "hwmon/hwmon2/fan1_input": "2890",
    "hwmon/hwmon2/temp1_input": "47000",
    "hwmon/hwmon2/temp1_label": "CPU",
    "hwmon/hwmon3/name": "coretemp",
    "hwmon/hwmon3/device": "-> ../../../devices/platform/coretemp.0",
    "hwmon/hwmon3/temp1_input": "49000",
    "hwmon/hwmon3/temp1_label": "Package id 0",
    "hwmon/hwmon3/temp2_input": "48000",
    "hwmon/hwmon3/temp2_label": "Core 0",
    "hwmon/hwmon3/temp10_input": "47000",
    "hwmon/hwmon3/temp10_label": "Core 8",
    "thermal/thermal_zone0/type": "acpitz",
    "thermal/thermal_zone0/temp": "45000",
    "thermal/thermal_zone1/type": "x86_pkg_temp",
    "thermal/thermal_zone1/temp": "49000",
    "thermal/cooling_device0/type": "Processor",
    "power_supply/AC/type": "Mains",
    "power_supply/AC/online": "0",
    "power_supply/BAT0/type": "Battery",
    "power_supply/BAT0/status": "Discharging",
    "power_supply/BAT0/capacity": "81",
    "power_supply/BAT0/energy_now": "40500000",
    "power_supply/BAT0/energy_full": "50000000",
    "power_supply/BAT0/energy_full_design": "57000000",
    "power_supply/BAT0/power_now": "6840000",
    "power_supply/hidpp_battery_0/type": "Battery",
    "power_supply/hidpp_battery_0/scope": "Device",
    "power_supply/hidpp_battery_0/capacity": "55",
}

# A virtual machine: the folders are there, and empty.
VIRTUAL_MACHINE = {"power_supply/.keep": "", "thermal/.keep": "", "hwmon/.keep": ""}

# A small ARM board: the zone of the processor is a chip as well, named with an underscore.
ARM_BOARD = {
    "hwmon/hwmon0/name": "cpu_thermal",
    "hwmon/hwmon0/temp1_input": "51540",
    "hwmon/hwmon1/name": "rpi_volt",
    "hwmon/hwmon1/in0_lcrit_alarm": "0",
    "thermal/thermal_zone0/type": "cpu-thermal",
    "thermal/thermal_zone0/temp": "51540",
}

WEB = "a1" * 32
DATABASE = "b2" * 32
PAUSE = "c3" * 32
POD = "d4" * 32

# A host with control groups of version 2 (below `cgroup`), docker's files (below `root`) and systemd's services.
DOCKER_HOST = {
    "cgroup/cgroup.controllers": "cpuset cpu io memory pids",
    "cgroup/system.slice/nginx.service/cpu.stat": "usage_usec 4000000\nuser_usec 3000000\nsystem_usec 1000000",
    "cgroup/system.slice/nginx.service/memory.current": "8388608",
    f"cgroup/system.slice/docker-{WEB}.scope/cpu.stat": (
        "usage_usec 1000000\nuser_usec 600000\nsystem_usec 400000\nnr_periods 100\nnr_throttled 10\nthrottled_usec 5000"
    ),
    f"cgroup/system.slice/docker-{WEB}.scope/memory.current": "104857600",
    f"cgroup/system.slice/docker-{WEB}.scope/memory.max": "268435456",
    f"cgroup/system.slice/docker-{WEB}.scope/memory.stat": "anon 50000000\nfile 50000000\ninactive_file 4857600",
    f"cgroup/system.slice/docker-{WEB}.scope/io.stat": (
        "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n259:0 rbytes=1000 wbytes=0 rios=1 wios=0"
    ),
    f"cgroup/system.slice/docker-{WEB}.scope/pids.current": "7",
    f"cgroup/system.slice/docker-{WEB}.scope/cgroup.procs": "4321\n4322",
    f"cgroup/system.slice/docker-{DATABASE}.scope/cpu.stat": "usage_usec 7000000",
    f"cgroup/system.slice/docker-{DATABASE}.scope/memory.current": "209715200",
    f"cgroup/system.slice/docker-{DATABASE}.scope/memory.max": "max",
    f"cgroup/system.slice/docker-{DATABASE}.scope/io.stat": "",
    f"root/var/lib/docker/containers/{WEB}/config.v2.json": '{"ID": "a1", "Name": "/web", "Config": {}}',
    "proc/self/ns/net": "-> net:[1]",
    "proc/4321/ns/net": "-> net:[2]",
    "proc/4321/net/dev": (
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n"
        "    lo:  100       1    0    0    0     0          0         0      100       1    0\n"
        "  eth0: 5000      20    0    0    0     0          0         0     3000      30    0\n"
    ),
}

# An old host: version 1, docker and a pod of Kubernetes by containerd.
OLD_HOST = {
    f"cgroup/cpu,cpuacct/docker/{WEB}/cpuacct.usage": "2000000000",
    f"cgroup/cpu,cpuacct/docker/{WEB}/cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_time 0",
    f"cgroup/memory/docker/{WEB}/memory.usage_in_bytes": "1048576",
    f"cgroup/memory/docker/{WEB}/memory.limit_in_bytes": "9223372036854771712",
    f"cgroup/memory/docker/{WEB}/memory.stat": "cache 4096\ninactive_file 1\ntotal_inactive_file 48576",
    f"cgroup/blkio/docker/{WEB}/blkio.throttle.io_service_bytes": (
        "8:0 Read 4096\n8:0 Write 512\n8:0 Sync 0\n8:0 Async 4608\n8:0 Total 4608\nTotal 4608"
    ),
    f"cgroup/pids/docker/{WEB}/pids.current": "3",
    f"cgroup/memory/kubepods/burstable/podf00d/{POD}/memory.usage_in_bytes": "2097152",
    f"cgroup/memory/kubepods/burstable/podf00d/{POD}/memory.limit_in_bytes": "4194304",
    f"cgroup/memory/kubepods/burstable/podf00d/{PAUSE}/memory.usage_in_bytes": "4096",
    f"root/run/containerd/io.containerd.runtime.v2.task/k8s.io/{POD}/config.json": (
        '{"annotations": {"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.container-name": "api",'
        ' "io.kubernetes.cri.sandbox-name": "shop-0", "io.kubernetes.cri.sandbox-namespace": "prod"}}'
    ),
    f"root/run/containerd/io.containerd.runtime.v2.task/k8s.io/{PAUSE}/config.json": (
        '{"annotations": {"io.kubernetes.cri.container-type": "sandbox"}}'
    ),
}
