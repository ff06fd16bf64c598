"""Whether this agent could stream: its identity, the way to ingest, its key."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import grpc

from agent import identity
from agent.errors import AgentError
from agent.identity import Identity
from agent.network.background import in_background
from agent.network.probe import Probe
from flick.clock import Clock, utc
from flick.rpc.client import open_channel
from flick.v1 import ingest_pb2_grpc

_REFUSAL_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Connection:
    """What was found. `problem` is empty when all is well; `joined`: there is an identity."""

    identity_file: str
    joined: bool
    server_id: str = ""
    ingest_address: str = ""
    problem: str = ""


async def check_connection(*, path: Path, clock: Clock) -> Connection:
    """Look at the identity and try ingest."""
    if not path.exists():  # noqa: ASYNC240 - a file of this machine, asked once
        return Connection(identity_file=str(path), joined=False)
    try:
        found = identity.read(path)
        problem = await _problem(found, clock)
    except AgentError as error:
        return Connection(identity_file=str(path), joined=True, problem=str(error))
    return Connection(
        identity_file=str(path),
        joined=True,
        server_id=found.server_id,
        ingest_address=found.ingest_address,
        problem=problem,
    )


async def _problem(found: Identity, clock: Clock) -> str:
    probe = Probe(address=found.ingest_address, ca_pem=found.ca_pem)
    diagnosis = await in_background(lambda: probe.run(now=utc(clock)))
    return diagnosis.text if diagnosis is not None else await _key_problem(found)


async def _key_problem(found: Identity) -> str:
    """Open a stream and say nothing on it, not even Hello, which would end the stream of an agent that runs now."""
    async with open_channel(found.ingest_address, ca_pem=found.ca_pem.encode() or None, tls=True) as channel:
        stub = ingest_pb2_grpc.IngestServiceStub(channel)
        call = stub.StreamTelemetry(metadata=(("authorization", f"Bearer {found.agent_key}"),))
        try:
            async with asyncio.timeout(_REFUSAL_WITHIN_S):
                await call.read()
        except TimeoutError:
            return ""
        except grpc.aio.AioRpcError as error:
            return f"ingest refuses this agent: {error.details()} ({error.code().name})"
        finally:
            call.cancel()
    return "ingest ended the stream at once"
