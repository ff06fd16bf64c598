"""Start the gateway: read the settings, open the channels, serve until asked to stop, drain.

`python -m gateway routes` prints the table of routes instead, `python -m gateway openapi` the OpenAPI document.
"""

import asyncio
import json
import logging
import os
import random
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from importlib.resources import files

import uvloop
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector

from flick import log
from flick.clock import SystemClock
from flick.config import ConfigError, load
from flick.errors import FlickError
from flick.ids import new_id
from flick.lifecycle import stop_requested
from flick.telemetry import serve_metrics
from flick.v1 import auth_pb2_grpc, options_pb2, query_pb2_grpc
from gateway.app import build_app
from gateway.backends import Backends, open_backends
from gateway.config import GatewayConfig
from gateway.http.edge import Edge
from gateway.http.origin import OriginPolicy
from gateway.http.server import serve_http
from gateway.live.hub import LiveHub
from gateway.metrics import GatewayMetrics
from gateway.reference.document import about
from gateway.routes import route_table
from gateway.transcode import Types, read_bindings
from gateway.transcode.openapi import describe

DRAIN_GRACE_S = 5.0  # for calls that run when the gateway is asked to stop

logger = logging.getLogger("gateway")


def main(arguments: Sequence[str] = ()) -> int:
    """Run; returns the exit code."""
    if arguments:
        return _print(arguments)
    try:
        config = load(GatewayConfig, environ=os.environ)
        log.configure(service="gateway", level=config.log_level)
        uvloop.run(run(config))
    except (ConfigError, FlickError, ValueError) as error:  # ValueError: ContractError, or a log level that is none
        print(f"gateway: {error}", file=sys.stderr)  # noqa: T201 - the log may not be set up yet
        return 1
    return 0


def _print(arguments: Sequence[str]) -> int:
    """What the gateway serves, for people or for programs; 2 for a command that it does not know."""
    command = _COMMANDS.get(" ".join(arguments))
    if command is None:
        print(f"usage: python -m gateway [{' | '.join(_COMMANDS)}]", file=sys.stderr)  # noqa: T201 - a command's answer
        return 2
    print(command())  # noqa: T201 - a command's answer
    return 0


def _openapi() -> str:
    descriptors = read_descriptors()
    types = Types(descriptors)
    document = describe(
        descriptors, read_bindings(descriptors, types), types=types, about=about(descriptors, version=version("flick"))
    )
    return json.dumps(document, indent=2, ensure_ascii=False)


_COMMANDS = {"routes": lambda: route_table(read_descriptors()), "openapi": _openapi}


async def run(config: GatewayConfig) -> None:
    """Serve until SIGTERM or SIGINT."""
    registry = CollectorRegistry()
    for collector in (PlatformCollector, GCCollector):
        collector(registry=registry)
    addresses = {"auth": config.auth_address, "ingest": config.ingest_address, "query": config.query_address}
    async with AsyncExitStack() as stack:
        stop = await stack.enter_async_context(stop_requested())
        backends = await stack.enter_async_context(
            open_backends(addresses=addresses, trust_bundle_file=config.trust_bundle_file)
        )
        if config.metrics_listen:
            await stack.enter_async_context(serve_metrics(listen=config.metrics_listen, registry=registry))
        await _serve(config, backends, registry, stop)


async def _serve(config: GatewayConfig, backends: Backends, registry: CollectorRegistry, stop: asyncio.Event) -> None:
    clock, metrics = SystemClock(), GatewayMetrics(registry=registry)
    origins = OriginPolicy(allowed=config.own_origins)
    channels = backends.by_service
    live = LiveHub(
        auth=auth_pb2_grpc.AuthServiceStub(channels["flick.v1.AuthService"]),
        query=query_pb2_grpc.QueryServiceStub(channels["flick.v1.QueryService"]),
        origins=origins,
        metrics=metrics,
        clock=clock,
        random=random.random,
    )
    app = build_app(
        descriptors=read_descriptors(), backends=backends, live=live, origins=origins, version=version("flick")
    )
    edge = Edge(application=app, origins=origins, metrics=metrics, clock=clock, make_request_id=lambda: str(new_id()))

    async with serve_http(
        application=edge,
        listen=config.listen,
        tls_cert_file=config.tls_cert_file,
        tls_key_file=config.tls_key_file,
        say_goodbye=live.drain,
        drain=lambda: edge.drain(grace_s=DRAIN_GRACE_S),
    ) as server:
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({stopping, server.stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()


def read_descriptors() -> FileDescriptorSet:
    """The contract with its imports and comments, as generated beside the stubs."""
    return FileDescriptorSet.FromString(files(options_pb2.__package__).joinpath("descriptors.binpb").read_bytes())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
