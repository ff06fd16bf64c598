"""Whether Redis answers, as calls and subscriptions of one client find it: counted, and logged when it changes."""

import logging

from prometheus_client import CollectorRegistry, Counter, Gauge
from redis.exceptions import RedisError

from flick.clock import Clock

CALL_TIMEOUT_S = 1.0  # Redis is near; what takes longer is not worth waiting for
RETRY_AFTER_S = 1.0  # while Redis is away one call a second tries it
FAILURES = (RedisError, OSError, TimeoutError)
"""What a Redis that is away, or not itself, raises."""

logger = logging.getLogger(__name__)


class BusMetrics:
    """How Redis does."""

    def __init__(self, *, registry: CollectorRegistry) -> None:
        self.failures = Counter(
            "flick_bus_failures", "Calls of Redis that failed or were not tried.", ["operation"], registry=registry
        )
        self.up = Gauge(
            "flick_bus_up", "1 while Redis answers, else 0.", registry=registry, multiprocess_mode="livemin"
        )


class Health:
    """Up until a failure is noted, down until Redis answers."""

    def __init__(self, *, clock: Clock, metrics: BusMetrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._try_again_at_s = 0.0
        self._up = True
        self._refused: set[str] = set()
        metrics.up.set(1)

    @property
    def up(self) -> bool:
        """Whether Redis answered when it was last asked."""
        return self._up

    def may_try(self, operation: str) -> bool:
        """Whether to make a call now: while Redis is away one a second tries it, and the others fail at once."""
        if self._up:
            return True
        if self._clock.monotonic_s() < self._try_again_at_s:
            self._metrics.failures.labels(operation).inc()
            return False
        self._try_again_at_s = self._clock.monotonic_s() + RETRY_AFTER_S
        return True

    def failed(self, operation: str, error: BaseException) -> None:
        """Count a failure; the first one after a success is logged."""
        self._metrics.failures.labels(operation).inc()
        self._metrics.up.set(0)
        if self._up:
            logger.warning("redis does not answer", extra={"operation": operation, "why": repr(error)})
        self._up = False
        self._try_again_at_s = self._clock.monotonic_s() + RETRY_AFTER_S

    def refused(self, operation: str, error: BaseException) -> None:
        """Count a failure of which Redis itself told, as a full one refuses to store but not to publish.

        The first one of an operation after its success is logged.
        """
        self._metrics.failures.labels(operation).inc()
        if operation not in self._refused:
            logger.warning("redis refuses", extra={"operation": operation, "why": repr(error)})
        self._refused.add(operation)
        self._answered()

    def succeeded(self, operation: str) -> None:
        """The first success after a failure is logged."""
        if operation in self._refused:
            logger.info("redis refuses no more", extra={"operation": operation})
            self._refused.discard(operation)
        self._answered()

    def _answered(self) -> None:
        self._metrics.up.set(1)
        if not self._up:
            logger.info("redis answers again")
        self._up = True
