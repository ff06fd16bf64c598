"""The aspect that turns errors into gRPC statuses; what is not a `FlickError` becomes a fixed sentence."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

import grpc

from flick.errors import FlickError, Kind
from flick.rpc.aspect import Call, Context
from flick.rpc.status import DETAILS_KEY, grpc_status, to_status

INTERNAL_TEXT = "Something went wrong on our side. The log of the service knows more."

logger = logging.getLogger(__name__)


class FaultAspect:
    """Outermost of all: whatever is raised within leaves as a status."""

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `Aspect`."""
        try:
            yield
        except FlickError as error:
            if error.private:
                logger.info("call refused", extra={"method": call.method, "reason": error.reason, "why": error.private})
            await abort(call.context, error)
        except (grpc.aio.AbortError, asyncio.CancelledError):
            raise
        except Exception:  # the boundary: nothing of an unforeseen error may reach the caller
            logger.exception("call failed", extra={"method": call.method})
            await abort(call.context, FlickError(Kind.INTERNAL, INTERNAL_TEXT))


async def abort(context: Context, error: FlickError) -> NoReturn:
    """End the call with `error`'s public part."""
    trailing = ((DETAILS_KEY, to_status(error).SerializeToString()),)
    try:
        await context.abort(grpc_status(error.kind), error.public, trailing)
    except grpc.aio.AbortError as aborted:
        asyncio.get_running_loop().call_soon(_forget_frames, aborted)
        raise
    raise AssertionError("abort always raises")


def _forget_frames(aborted: BaseException) -> None:
    """Let go of what the frames hold through which an error went that has been answered.

    gRPC keeps the error with its call, and by the frames of its traceback the call keeps itself, a hundred objects and
    what gRPC's core has of it, until the garbage collector comes, which may be seldom.
    """
    traceback.clear_frames(aborted.__traceback__)  # all of them have ended, the call's outermost one last
    error: BaseException | None = aborted
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
