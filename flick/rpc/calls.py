"""The aspects that count, time and bound calls."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flick.clock import Clock
from flick.errors import FlickError, Kind
from flick.rpc.aspect import Call
from flick.telemetry import RpcMetrics

logger = logging.getLogger(__name__)


class MetricsAspect:
    """Counts and times every call."""

    def __init__(self, *, metrics: RpcMetrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `Aspect`."""
        _, service, method = call.method.split("/")
        in_flight = self._metrics.in_flight.labels(service, method)
        in_flight.inc()
        began = self._clock.monotonic_s()
        code = "OK"
        try:
            yield
        except FlickError as error:
            code = error.kind.name
            raise
        except asyncio.CancelledError:
            code = Kind.CANCELLED.name
            raise
        except BaseException:  # whatever it is, the call is counted as what its caller will see
            code = Kind.INTERNAL.name
            raise
        finally:
            in_flight.dec()
            self._metrics.handled.labels(service, method, code).inc()
            self._metrics.seconds.labels(service, method).observe(self._clock.monotonic_s() - began)
            logger.debug("call ended", extra={"method": call.method, "code": code})


class DeadlineAspect:
    """Gives every call that has no deadline one of `limit_s` seconds. Methods that stream for long are exempt."""

    def __init__(self, *, limit_s: float, exempt: frozenset[str]) -> None:
        self._limit_s = limit_s
        self._exempt = exempt

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See `Aspect`."""
        if call.method in self._exempt or call.context.time_remaining() is not None:
            yield
            return
        try:
            async with asyncio.timeout(self._limit_s):
                yield
        except TimeoutError as error:
            raise FlickError(
                Kind.DEADLINE_EXCEEDED, f"The call took longer than {self._limit_s:g} s.", private="no deadline given"
            ) from error
