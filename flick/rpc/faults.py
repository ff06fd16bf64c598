"""The aspect that turns errors into gRPC statuses; what is not a `FlickError` becomes a fixed sentence."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

import grpc

from flick.errors import FlickError, Kind
from flick.rpc.aspect import Call, Context
from flick.rpc.status import DETAILS_KEY, grpc_status, to_status

INTERNAL_TEXT = "Something went wrong on our side. The log of the service knows more."

logger = logging.getLogger(__name__)


def _unforeseen(_: Exception) -> FlickError | None:
    return None


class FaultAspect:
    """Outermost of all: whatever is raised within leaves as a status.

    Args:
        translate: knows what callers may be told of errors that are not FLick's own, such as a lost database.
    """

    def __init__(self, *, translate: Callable[[Exception], FlickError | None] = _unforeseen) -> None:
        self._translate = translate

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `Aspect`."""
        try:
            yield
        except FlickError as error:
            await _refuse(call, error)
        except (grpc.aio.AbortError, asyncio.CancelledError):
            raise
        except Exception as error:  # the boundary: nothing of an unforeseen error may reach the caller
            known = self._translate(error)
            if known is None:
                logger.exception("call failed", extra={"method": call.method})
            await _refuse(call, known or FlickError(Kind.INTERNAL, INTERNAL_TEXT))


async def _refuse(call: Call, error: FlickError) -> NoReturn:
    if error.private:
        logger.info("call refused", extra={"method": call.method, "reason": error.reason, "why": error.private})
    await abort(call.context, error)


async def abort(context: Context, error: FlickError) -> NoReturn:
    """End the call with `error`'s public part."""
    trailing = ((DETAILS_KEY, to_status(error).SerializeToString()),)
    await context.abort(grpc_status(error.kind), error.public, trailing)
    raise AssertionError("abort always raises")
