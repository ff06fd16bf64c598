"""Prometheus metrics of a service: the registry's HTTP endpoint and the metrics that every gRPC server has."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from flick.address import join, split


@asynccontextmanager
async def serve_metrics(*, listen: str, registry: CollectorRegistry) -> AsyncIterator[str]:
    """Serve /metrics at `listen` (host:port) while entered. Yields the bound host:port."""
    host, port = split(listen)
    server, thread = start_http_server(port, addr=host, registry=registry)
    try:
        yield join(host, server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


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
