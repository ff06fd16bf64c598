"""Ingest's front door: reads the environment, opens what is needed, serves, in one process or several."""

import argparse
import dataclasses
import gc
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import uvloop
from prometheus_client import CollectorRegistry

from flick import log
from flick.bus.client import open_bus
from flick.bus.health import BusMetrics
from flick.clock import Clock, SystemClock
from flick.config import ConfigError, load
from flick.db.pool import connect, open_pool
from flick.errors import FlickError
from flick.lifecycle import background, die_with_parent, raise_file_limit, stop_requested
from flick.rpc.access.watch import AccessWatch
from flick.rpc.client import open_own_channel
from flick.rpc.identity import RemoteKeys, ServiceIdentity
from flick.rpc.server import RunningServer, serve
from flick.telemetry import serve_metrics
from flick.v1 import access_pb2_grpc, auth_pb2_grpc
from services.ingest import assembly
from services.ingest.config import IngestConfig
from services.ingest.intake.admission import Admission
from services.ingest.streams.times import StreamTimes
from services.ingest.workers import run_workers
from services.ingest.writing.condition import COMMITS

NAME = "ingest"
AUTH = "auth"
GC_AFTER_OBJECTS = 20_000  # new ones: those of about 2,000 samples
HOUSEKEEPING_STATEMENT_S = 60.0  # nobody waits for it, and it may have to read an hour of thousands of servers
CONNECTIONS = 5  # one writes, one stores layouts, one is that of pushes; the others are the ledger's


@asynccontextmanager
async def running(
    config: IngestConfig,
    *,
    clock: Clock,
    registry: CollectorRegistry,
    times: StreamTimes,
    admission: Admission,
    shares_port: bool = False,
) -> AsyncIterator[RunningServer]:
    """The service, serving while entered. Raises ConfigError or FlickError when it can't start."""
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(
            open_own_channel(config.auth_address, trust_bundle_file=config.trust_bundle_file)
        )
        auth = auth_pb2_grpc.AuthServiceStub(channel)
        identity = ServiceIdentity(auth=auth, service=NAME, secret=config.service_secret, audience=AUTH, clock=clock)
        watch = AccessWatch(stub=access_pb2_grpc.AccessServiceStub(channel), identity=identity, clock=clock)
        pool = await stack.enter_async_context(
            open_pool(config.database_url, application_name=f"flick-{NAME}", max_size=CONNECTIONS)
        )
        bus = await stack.enter_async_context(
            open_bus(config.redis_url, name=f"flick-{NAME}", clock=clock, metrics=BusMetrics(registry=registry))
        )
        access = await stack.enter_async_context(watch.running())
        ingest = await stack.enter_async_context(
            assembly.running(
                pool=pool,
                connect=partial(
                    connect,
                    config.database_url,
                    application_name=f"flick-{NAME}-housekeeping",
                    statement_timeout_s=HOUSEKEEPING_STATEMENT_S,
                ),
                bus=bus,
                access=access,
                report_hosts=access.report_hosts,
                registry=registry,
                clock=clock,
                times=times,
                admission=admission,
                seal_after_s=config.seal_after_s,
                retentions=access.retentions,
                lifetimes=config.lifetimes(),
            )
        )
        if config.metrics_listen:
            await stack.enter_async_context(serve_metrics(listen=config.metrics_listen, registry=registry))
        keys = RemoteKeys(auth=auth, clock=clock)
        server = await stack.enter_async_context(
            serve(
                listen=config.listen,
                registrations=ingest.registrations,
                aspects=assembly.aspects(source=access, keys=keys, registry=registry, clock=clock),
                tls=config.tls(),
                reuse_port=shares_port,
                linger=ingest.roster.farewells.over,
            )
        )
        told = background(ingest.condition.tell(partial(server.tell, COMMITS)), name="condition")
        await stack.enter_async_context(told)
        stack.callback(ingest.roster.drain)  # first of all on leaving: streams end, so that the server can stop
        yield server


def _calm_collector() -> None:
    """Have the garbage collector pass over what lives as long as the process, and look at the rest less often.

    Frames that wait for their commit are no garbage: looking at them after every 700 new objects, as is Python's
    default, took 7 % of ingest's processor time.
    """
    gc.freeze()
    # What lives long is looked at rarely: with 5,000 streams and (5, 2) a sample cost 1.38 times what it costs with 100
    # streams, so 1.20. What a stream leaves when it ends, well or not, is in no cycle.
    gc.set_threshold(GC_AFTER_OBJECTS, 20, 20)


async def _serve(config: IngestConfig, *, shares_port: bool) -> None:
    service = running(
        config,
        clock=SystemClock(),
        registry=CollectorRegistry(),
        times=StreamTimes(),
        admission=Admission(),
        shares_port=shares_port,
    )
    async with stop_requested() as stop, service:
        await stop.wait()


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.ingest", description="Takes what agents measure.")
    parser.add_argument("--workers", type=int, help="how many processes share the address (FLICK_INGEST_WORKERS)")
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)  # a worker's: the process that started it
    arguments = parser.parse_args()
    try:
        config = load(IngestConfig, environ=os.environ)
        _calm_collector()
        raise_file_limit()  # every agent is a connection
        log.configure(service=NAME, level=config.log_level)
        if arguments.workers is not None:
            config = dataclasses.replace(config, workers=arguments.workers)
        if arguments.parent is not None:
            die_with_parent(parent_pid=arguments.parent)
            config = dataclasses.replace(config, metrics_listen=None)
            uvloop.run(_serve(config, shares_port=True))
        elif config.workers > 1:
            uvloop.run(
                run_workers(
                    listen=config.listen,
                    metrics_listen=config.metrics_listen,
                    count=config.workers,
                    environment=os.environ,
                    clock=SystemClock(),
                )
            )
        else:
            uvloop.run(_serve(config, shares_port=False))
    except (ConfigError, FlickError, ValueError) as error:
        sys.stderr.write(f"{NAME}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
