"""A server as a program that takes every stream and never reads it; says its address in a line."""

import asyncio
import sys

import grpc

from flick.rpc.aspect import Context
from flick.rpc.server import Registration, serve
from flick.v1 import ingest_pb2

DESCRIPTOR = ingest_pb2.DESCRIPTOR.services_by_name["IngestService"]


async def _never_read(_requests: object, _context: Context) -> None:
    await asyncio.Event().wait()


def _add(server: grpc.aio.Server) -> None:
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(_never_read)
    handlers = {"StreamTelemetry": handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(DESCRIPTOR.full_name, handlers),))


async def _main() -> None:
    registration = Registration(add=_add, descriptor=DESCRIPTOR)
    async with serve(listen="127.0.0.1:0", registrations=[registration], aspects=[]) as running:
        sys.stdout.write(running.address + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
