"""Query's front door: reads the environment, opens what is needed, serves."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import uvloop
from prometheus_client import CollectorRegistry

from flick import log
from flick.bus.client import open_bus
from flick.bus.health import BusMetrics
from flick.clock import Clock, SystemClock
from flick.config import ConfigError, load
from flick.db.pool import open_pool
from flick.errors import FlickError
from flick.lifecycle import stop_requested
from flick.rpc.access.watch import AccessWatch
from flick.rpc.client import open_own_channel
from flick.rpc.identity import RemoteKeys, ServiceIdentity
from flick.rpc.server import RunningServer, serve
from flick.telemetry import RpcMetrics, serve_metrics
from flick.v1 import access_pb2_grpc, auth_pb2_grpc
from services.query.assembly import Parts, aspects, assemble
from services.query.config import QueryConfig
from services.query.metrics import QueryMetrics
from services.query.stats.overseer import Overseer
from services.query.watch.times import WatchTimes

NAME = "query"
AUTH = "auth"
STATEMENT_TIMEOUT_S = 10.0
# A read that can't be answered is told so within 2 s: people wait for it, and nothing is lost by asking again.
ACQUIRE_TIMEOUT_S = 1.5
LOCK_TIMEOUT_S = 1.0


@asynccontextmanager
async def running(
    config: QueryConfig, *, clock: Clock, registry: CollectorRegistry, times: WatchTimes
) -> AsyncIterator[RunningServer]:
    """The service, serving while entered. Raises ConfigError or FlickError when it can't start."""
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(
            open_own_channel(config.auth_address, trust_bundle_file=config.trust_bundle_file)
        )
        auth = auth_pb2_grpc.AuthServiceStub(channel)
        identity = ServiceIdentity(auth=auth, service=NAME, secret=config.service_secret, audience=AUTH, clock=clock)
        watch = AccessWatch(stub=access_pb2_grpc.AccessServiceStub(channel), identity=identity, clock=clock)
        parts = Parts(
            pool=await stack.enter_async_context(
                open_pool(
                    config.database_url,
                    application_name=f"flick-{NAME}",
                    acquire_timeout_s=ACQUIRE_TIMEOUT_S,
                    statement_timeout_s=STATEMENT_TIMEOUT_S,
                    lock_timeout_s=LOCK_TIMEOUT_S,
                    fail_fast=True,
                    leaves_nothing=True,
                )
            ),
            bus=await stack.enter_async_context(
                open_bus(config.redis_url, name=f"flick-{NAME}", clock=clock, metrics=BusMetrics(registry=registry))
            ),
            watch=await stack.enter_async_context(watch.running()),
            keys=RemoteKeys(auth=auth, clock=clock),
            metrics=QueryMetrics(registry=registry),
            rpc_metrics=RpcMetrics(registry=registry),
            clock=clock,
            times=times,
            overseer=Overseer(targets=config.targets(), clock=clock),
            lifetimes=config.lifetimes(),
            database_dir=config.database_dir,
            operator_id=config.operator_organization_id,
        )
        query = assemble(parts)
        for part in (query.hub, parts.overseer, query.stats):
            await stack.enter_async_context(part.running())
        if config.metrics_listen:
            await stack.enter_async_context(serve_metrics(listen=config.metrics_listen, registry=registry))
        server = await stack.enter_async_context(
            serve(listen=config.listen, registrations=query.registrations, aspects=aspects(parts))
        )
        stack.callback(query.hub.close)  # first of all on leaving: endless streams end, so that the server can drain
        yield server


async def _serve(config: QueryConfig) -> None:
    clock, registry = SystemClock(), CollectorRegistry()
    async with stop_requested() as stop, running(config, clock=clock, registry=registry, times=WatchTimes()):
        await stop.wait()


def main() -> int:
    """The command line; returns the exit code."""
    try:
        config = load(QueryConfig, environ=os.environ)
        log.configure(service=NAME, level=config.log_level)
        uvloop.run(_serve(config))
    except (ConfigError, FlickError, ValueError) as error:  # ValueError: a log level or an address that is none
        sys.stderr.write(f"{NAME}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
