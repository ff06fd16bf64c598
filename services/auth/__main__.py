"""Auth's front door: reads the environment, opens what is needed, serves. `bootstrap` prepares an installation."""

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

import uvloop
from prometheus_client import CollectorRegistry

from flick import log
from flick.clock import Clock, SystemClock
from flick.config import ConfigError, load
from flick.db.pool import Connection, Pool, connect, open_pool
from flick.errors import FlickError
from flick.lifecycle import stop_requested
from flick.rpc.server import RunningServer, serve
from flick.telemetry import RpcMetrics, serve_metrics
from services.auth.assembly import Parts, aspects, registrations
from services.auth.bell import Bell
from services.auth.bootstrap import bootstrap
from services.auth.config import AuthConfig, BootstrapConfig
from services.auth.credentials.passwords import PARALLEL, Passwords
from services.auth.credentials.service_secrets import load_service_secrets
from services.auth.credentials.signing import load_signing_keys
from services.auth.credentials.trust import load_trust_anchor
from services.auth.store.bootstrap import BootstrapStore
from services.auth.store.housekeeping import Housekeeping
from services.auth.telemetry import AuthMetrics

NAME = "auth"
STATEMENT_TIMEOUT_S = 5.0


@asynccontextmanager
async def running(config: AuthConfig, *, clock: Clock, registry: CollectorRegistry) -> AsyncIterator[RunningServer]:
    """The service, serving while entered. Raises ConfigError or FlickError when it can't start."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(_pool(config.database_url))
        bell = Bell(connect=partial(_listener, config.database_url), clock=clock)
        parts = Parts(
            config=config,
            pool=pool,
            passwords=Passwords(executor=stack.enter_context(ThreadPoolExecutor(PARALLEL))),
            signing_keys=load_signing_keys(config.signing_keys_dir),
            service_secrets=load_service_secrets(config.service_secrets_file),
            trust=load_trust_anchor(config.trust_bundle_file),
            bell=bell,
            metrics=AuthMetrics(registry=registry),
            rpc_metrics=RpcMetrics(registry=registry),
            clock=clock,
        )
        await stack.enter_async_context(bell.listening())
        await stack.enter_async_context(Housekeeping(pool=pool, clock=clock).running())
        if config.metrics_listen:
            await stack.enter_async_context(serve_metrics(listen=config.metrics_listen, registry=registry))
        services = registrations(parts)
        server = await stack.enter_async_context(
            serve(listen=config.listen, registrations=services, aspects=aspects(parts, services=services))
        )
        stack.callback(bell.silence)  # first of all on leaving: endless streams end, so that the server can drain
        yield server


async def _serve(config: AuthConfig) -> None:
    async with stop_requested() as stop, running(config, clock=SystemClock(), registry=CollectorRegistry()):
        await stop.wait()


async def _bootstrap(config: BootstrapConfig, *, new_agent_key: bool) -> None:
    with ThreadPoolExecutor(PARALLEL) as executor:
        async with _pool(config.database_url) as pool:
            made = await bootstrap(
                config=config,
                store=BootstrapStore(pool=pool),
                passwords=Passwords(executor=executor),
                new_agent_key=new_agent_key,
                clock=SystemClock(),
            )
    sys.stdout.write(json.dumps(dataclasses.asdict(made)) + "\n")


async def _listener(url: str) -> Connection:
    return await connect(url, application_name=f"flick-{NAME}-bell", statement_timeout_s=None)


def _pool(url: str) -> AbstractAsyncContextManager[Pool]:
    return open_pool(url, application_name=f"flick-{NAME}", statement_timeout_s=STATEMENT_TIMEOUT_S, fail_fast=True)


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.auth", description="Serve FLick's auth.")
    commands = parser.add_subparsers(dest="command")
    making = commands.add_parser("bootstrap", help="make the first organization, its admin and this machine's server")
    making.add_argument("--new-agent-key", action="store_true", help="revoke this machine's agent keys, make a new one")
    arguments = parser.parse_args()
    try:
        if arguments.command == "bootstrap":
            config = load(BootstrapConfig, environ=os.environ)
            log.configure(service=NAME, level=config.log_level)
            uvloop.run(_bootstrap(config, new_agent_key=arguments.new_agent_key))
        else:
            settings = load(AuthConfig, environ=os.environ)
            log.configure(service=NAME, level=settings.log_level)
            uvloop.run(_serve(settings))
    except (ConfigError, FlickError) as error:
        private = error.private if isinstance(error, FlickError) else ""
        sys.stderr.write(f"{NAME}: {error} {private}".rstrip() + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
