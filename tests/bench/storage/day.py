"""A day of a server as it looks from outside: values that walk, rates that jump, and processes that mostly stay.

How large stored samples are depends on what repeats in them, which random numbers would hide.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from flick.v1 import catalog_pb2, telemetry_pb2

INTERVAL_S = 5
DAY_SAMPLES = 86_400 // INTERVAL_S
LAYOUT_ID = 1

_CORES = 8
_MOUNTS = ("/", "/boot/efi", "/var/lib/postgresql", "/srv/backup")
_INTERFACES = ("eth0", "eth1", "docker0", "br-4f1a09c2d7e1", "wg0")
_TICKS_PER_S = 100
_PAGE_BYTES = 4096
_MEMORY_BYTES = 32 << 30
_SHOWN = 10
_JOB_EVERY_SAMPLES = 12  # a short-lived process about once a minute

_JAVA = (
    "/usr/lib/jvm/java-21-openjdk-amd64/bin/java -Xms4g -Xmx4g -XX:+UseG1GC -XX:MaxGCPauseMillis=200"
    " -Dfile.encoding=UTF-8 -Dlog4j.configurationFile=/etc/orders/log4j2.xml"
    " -jar /opt/orders/lib/orders-service-3.14.2.jar --spring.config.location=/etc/orders/"
)
_GUNICORN = (
    "/srv/shop/venv/bin/python /srv/shop/venv/bin/gunicorn --workers 4 --bind unix:/run/shop.sock shop.wsgi:application"
)
_EXPORTER = "/usr/bin/prometheus-node-exporter --web.listen-address=127.0.0.1:9100"

# Name, command line, user, threads, megabytes, and the share of a processor that it uses on average.
_PROGRAMS = (
    ("java", _JAVA[:256], "orders", 84, 4600, 0.9),
    ("postgres", "postgres: 17/main: checkpointer", "postgres", 1, 310, 0.03),
    ("postgres", "postgres: 17/main: background writer", "postgres", 1, 140, 0.02),
    ("postgres", "postgres: 17/main: walwriter", "postgres", 1, 22, 0.03),
    ("postgres", "postgres: 17/main: orders orders 10.20.0.14(51234) idle", "postgres", 1, 260, 0.3),
    ("postgres", "postgres: 17/main: orders orders 10.20.0.14(51236) SELECT", "postgres", 1, 255, 0.28),
    ("postgres", "postgres: 17/main: orders orders 10.20.0.15(40022) idle", "postgres", 1, 250, 0.25),
    ("postgres", "postgres: 17/main: reports reports 10.20.0.31(38816) idle in transaction", "postgres", 1, 190, 0.1),
    ("nginx", "nginx: worker process", "www-data", 1, 48, 0.2),
    ("nginx", "nginx: worker process", "www-data", 1, 47, 0.19),
    ("gunicorn", _GUNICORN, "shop", 3, 180, 0.22),
    ("gunicorn", _GUNICORN, "shop", 3, 178, 0.21),
    ("redis-server", "/usr/bin/redis-server 127.0.0.1:6379", "redis", 6, 420, 0.12),
    ("dockerd", "/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock", "root", 38, 110, 0.05),
    ("containerd", "/usr/bin/containerd", "root", 29, 64, 0.04),
    ("node", "node /srv/frontend/node_modules/.bin/next start --port 3000", "frontend", 12, 240, 0.15),
    ("prometheus-node", _EXPORTER, "prometheus", 9, 31, 0.02),
    ("flick-agent", "/opt/flick/venv/bin/python /opt/flick/venv/bin/flick-agent run", "flick", 3, 42, 0.01),
    ("systemd-journal", "/lib/systemd/systemd-journald", "root", 1, 90, 0.02),
    ("kworker/u16:3-events_unbound", "", "root", 1, 0, 0.02),
    ("ksoftirqd/2", "", "root", 1, 0, 0.01),
)


@dataclass(slots=True)
class _Running:
    pid: int
    name: str
    command: str
    user: str
    threads: int
    rss_pages: int
    share: float


class Host:
    """A server with eight processors, four file systems, five interfaces and some twenty processes."""

    def __init__(self, *, rng: random.Random, start_time_ns: int) -> None:
        self._rng = rng
        self._time_ns = start_time_ns
        self._uptime_s = rng.uniform(1e5, 1e7)
        self._load = [1.2, 1.1, 1.0]
        self._used_kib = 14 << 20
        self._cached_kib = 9 << 20
        self._disks = [[rng.randrange(10 << 30, 60 << 30), 100 << 30] for _ in _MOUNTS]
        self._running = [
            _Running(rng.randrange(300, 40_000), name, command, user, threads, megabytes * 256, share)
            for name, command, user, threads, megabytes, share in _PROGRAMS
        ]
        self._number = 0
        self.layout = layout()

    def samples(self, count: int) -> Iterator[telemetry_pb2.Sample]:
        """The next samples, one every 5 s."""
        for _ in range(count):
            self._number += 1
            self._time_ns += INTERVAL_S * 10**9
            passed_s = INTERVAL_S + self._rng.uniform(-0.002, 0.002)
            self._uptime_s += passed_s
            busy = self._walk_load()
            cores = [self._ticks(min(1.0, busy), passed_s) for _ in range(_CORES)]
            yield telemetry_pb2.Sample(
                time_unix_nano=self._time_ns,
                core=self._core(cores, passed_s),
                layout_id=LAYOUT_ID,
                labelled=[*cores, *self._disk_values(), *self._interface_values(passed_s)],
                processes=self._snapshot(passed_s).SerializeToString(),
            )

    def _walk_load(self) -> float:
        """Load averages walk around a daily curve; returns how busy a processor is on average."""
        day = 0.25 + 0.2 * math.sin(self._number / DAY_SAMPLES * math.tau)
        now = max(0.02, day + self._rng.gauss(0, 0.05))
        for index, minutes in enumerate((1, 5, 15)):
            weight = math.exp(-INTERVAL_S / 60 / minutes)
            self._load[index] = self._load[index] * weight + now * _CORES * (1 - weight)
        return now

    def _ticks(self, share: float, passed_s: float) -> float:
        """A share as the kernel's ticks tell it."""
        total = round(passed_s * _TICKS_PER_S)
        return min(total, max(0, round(self._rng.gauss(share, 0.05) * total))) / total

    def _core(self, cores: list[float], passed_s: float) -> list[float]:
        rng, busy = self._rng, sum(cores) / _CORES
        self._used_kib += rng.randrange(-2000, 2001)
        self._cached_kib += rng.randrange(-500, 600)
        total_kib = _MEMORY_BYTES >> 10
        free_kib = total_kib - self._used_kib - self._cached_kib - 300_000
        available_kib = free_kib + self._cached_kib
        values = [
            busy,
            busy * 0.7,
            busy * 0.25,
            self._ticks(0.002, passed_s),
            0.0,
            self._ticks(0.003, passed_s),
            _CORES,
        ]
        values += [round(load, 2) for load in self._load]
        values += [_MEMORY_BYTES, available_kib << 10, 1 - available_kib / total_kib]
        values += [kib << 10 for kib in (self._used_kib, free_kib, self._cached_kib, 300_000 + self._number % 7 * 4)]
        values += [2 << 30, 12 << 20, 12 / 2048]
        values += [rng.expovariate(1 / 90_000) / passed_s, rng.expovariate(1 / 140_000) / passed_s]
        return [*values, 212 + self._number // 600 % 9, rng.randrange(0, 14) / passed_s, round(self._uptime_s, 2)]

    def _disk_values(self) -> list[float]:
        for disk, growth in zip(self._disks, (4, 0, 9, 0), strict=True):
            if growth and self._rng.random() < 0.4:
                disk[0] += self._rng.randrange(0, growth) * _PAGE_BYTES
        return [value for used, size in self._disks for value in (used, size - used, used / size)]

    def _interface_values(self, passed_s: float) -> list[float]:
        values: list[float] = []
        for index in range(len(_INTERFACES)):
            packets = [int(self._rng.expovariate(1 / 900)) if index != 1 else 0 for _ in range(2)]
            values += [count * self._rng.uniform(80, 900) / passed_s for count in packets]
            values += [count / passed_s for count in packets]
        return values

    def _snapshot(self, passed_s: float) -> telemetry_pb2.ProcessSnapshot:
        """The busiest processes, each with its own jumps; once a minute one that is there for a moment."""
        rng = self._rng
        shown = []
        for one in self._running:
            ticks = int(rng.expovariate(1 / (one.share * passed_s * _TICKS_PER_S)))
            if one.rss_pages and rng.random() < 0.3:
                one.rss_pages = max(100, one.rss_pages + rng.randrange(-64, 65))
            shown.append((ticks, one))
        if self._number % _JOB_EVERY_SAMPLES == 0:
            job = f"/bin/sh -c /usr/local/bin/rotate --since {self._time_ns // 10**9} --target /srv/backup/orders"
            shown.append((rng.randrange(5, 200), _Running(40_000 + self._number, "sh", job, "root", 1, 900, 0)))
        shown.sort(key=lambda pair: -pair[0])
        return telemetry_pb2.ProcessSnapshot(
            processes=[
                telemetry_pb2.Process(
                    pid=one.pid,
                    name=one.name,
                    command=one.command,
                    user=one.user,
                    state="running" if rng.random() < 0.1 else "sleeping",
                    cpu_utilization=ticks / _TICKS_PER_S / passed_s,
                    memory_rss=one.rss_pages * _PAGE_BYTES,
                    thread_count=one.threads,
                )
                for ticks, one in shown[:_SHOWN]
            ]
        )


def layout() -> telemetry_pb2.Layout:
    """What stands where in `labelled`: 8 processors, 3 values of each of 4 file systems, 4 of each of 5 interfaces."""
    named = [(500, [str(number)]) for number in range(_CORES)]
    named += [(metric, [f"/dev/vd{index}", mount]) for index, mount in enumerate(_MOUNTS) for metric in (510, 511, 512)]
    named += [(metric, [name]) for name in _INTERFACES for metric in (520, 521, 522, 523)]
    series = [
        telemetry_pb2.Series(metric=catalog_pb2.Metric.ValueType(metric), label_values=labels)
        for metric, labels in named
    ]
    return telemetry_pb2.Layout(layout_id=LAYOUT_ID, series=series)
