"""What one sweep of the agent's fields costs by plain psutil calls: a program that prints the milliseconds per sweep.

python -m tests.bench.ceilings.psutil_sweep INTERVAL_S SWEEPS
"""

import sys
import time

import psutil

PROCESS_FIELDS = ("pid", "name", "cmdline", "username", "cpu_times", "memory_info", "num_threads", "status")


def sweep() -> list[object]:
    """Processors, load, memory, swap, file systems, network and every process, once."""
    machine = [
        psutil.cpu_times(),
        psutil.cpu_times(percpu=True),
        psutil.getloadavg(),
        psutil.virtual_memory(),
        psutil.swap_memory(),
        psutil.net_io_counters(pernic=True),
    ]
    disks = [psutil.disk_usage(partition.mountpoint) for partition in psutil.disk_partitions()]
    processes = [process.info for process in psutil.process_iter(PROCESS_FIELDS)]
    return [*machine, disks, processes]


def main() -> None:
    """Sweep once so that psutil knows every process, and then on the interval; the processor time of those counts."""
    interval_s, sweeps = float(sys.argv[1]), int(sys.argv[2])
    sweep()
    began_s = time.process_time()
    for _ in range(sweeps):
        time.sleep(interval_s)
        sweep()
    print((time.process_time() - began_s) / sweeps * 1000)


if __name__ == "__main__":
    main()
