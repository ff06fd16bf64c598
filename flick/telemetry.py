"""Prometheus metrics of a service: the registry's HTTP endpoint and the metrics that every gRPC server has."""

import os
import platform
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from flick.address import join, split


@asynccontextmanager
async def serve_metrics(*, listen: str, registry: CollectorRegistry) -> AsyncIterator[str]:
    """Serve /metrics at `listen` (host:port) while entered, with what the process itself takes. Yields host:port."""
    host, port = split(listen)
    process = ProcessMetrics()
    registry.register(process)
    server, thread = start_http_server(port, addr=host, registry=registry)
    try:
        yield join(host, server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        registry.unregister(process)


class ProcessMetrics(Collector):
    """What this process takes of the machine together with the workers that it has started.

    Named as by Prometheus' own clients, whose collector knows one process. Where there is no /proc it says only which
    version this is.
    """

    def __init__(self) -> None:
        self._build = {
            "version": version("flick"),
            "python": platform.python_version(),
            "grpc": version("grpcio"),
        }

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        yield InfoMetricFamily("flick_build", "What runs here, in which version.", value=self._build)
        own = os.getpid()
        with suppress(OSError):  # no /proc, or a worker ended this moment
            stats = {own: _stat(own)} | {pid: _stat(pid) for pid in _workers(own)}
            ended = sum(map(int, stats[own][13:15]))  # cutime and cstime of proc(5): workers that have ended
            ticks = ended + sum(int(stat[11]) + int(stat[12]) for stat in stats.values())
            pages = sum(int(stat[21]) for stat in stats.values())
            files = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in stats)  # noqa: PTH208 - a Path each is dear
            yield CounterMetricFamily(
                "process_cpu_seconds", "Processor time, user and system.", ticks / os.sysconf("SC_CLK_TCK")
            )
            resident = pages * os.sysconf("SC_PAGE_SIZE")
            yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory in bytes.", resident)
            yield GaugeMetricFamily("process_open_fds", "Open files and connections.", files)
            started_s = _booted_s() + int(stats[own][19]) / os.sysconf("SC_CLK_TCK")
            yield GaugeMetricFamily("process_start_time_seconds", "Start, since the Unix epoch in seconds.", started_s)
            yield GaugeMetricFamily("process_workers", "Processes that are counted together here.", len(stats))


def _workers(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _booted_s() -> int:
    """When the machine was started, in seconds since the Unix epoch, by proc_stat(5)."""
    lines = Path("/proc/stat").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("btime"))


def _stat(pid: int) -> list[str]:
    """The fields of proc_pid_stat(5) behind the name, from the third on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


class RpcMetrics:
    """Counts and times of the calls that a gRPC server answers, named as in go-grpc-prometheus."""

    def __init__(self, *, registry: CollectorRegistry) -> None:
        labels = ["grpc_service", "grpc_method"]
        self.handled = Counter(
            "grpc_server_handled", "Calls completed, by status code.", [*labels, "grpc_code"], registry=registry
        )
        self.seconds = Histogram(
            "grpc_server_handling_seconds", "Time from a call's start to its end.", labels, registry=registry
        )
        self.in_flight = Gauge(
            "grpc_server_in_flight",
            "Calls begun and not completed.",
            labels,
            registry=registry,
            multiprocess_mode="livesum",
        )
