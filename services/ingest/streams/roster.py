"""The streams that are open: one per server, and all of them can be sent away."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from services.ingest.metrics import StreamMetrics
from services.ingest.streams.claims import Claims
from services.ingest.streams.farewells import Farewells
from services.ingest.streams.session import Session

logger = logging.getLogger(__name__)


class Roster:
    """The open streams of this process. `claims` tells the other processes of them.

    Attributes:
        farewells: once they have begun every agent is sent away, also who comes only now.
    """

    def __init__(self, *, claims: Claims, farewells: Farewells, metrics: StreamMetrics) -> None:
        self.farewells = farewells
        self._claims = claims
        self._metrics = metrics
        self._sessions: set[Session] = set()
        self._by_server: dict[str, Session] = {}

    @contextmanager
    def entered(self, session: Session) -> Iterator[None]:
        """Keep a stream while entered; an older one of the same server ends. Not when farewells have begun."""
        assert not self.farewells.begun
        self.farewells.came()
        older = self._by_server.get(session.server_id)
        if older is not None:
            older.supersede(by_same_agent=older.stream.spool_id == session.stream.spool_id)
        self._by_server[session.server_id] = session
        self._sessions.add(session)
        self._metrics.open.inc()
        logger.info("stream opened", extra={"server_id": session.server_id})
        try:
            with self._claims.claimed(session):
                yield
        finally:
            if self._by_server.get(session.server_id) is session:
                del self._by_server[session.server_id]
            self._sessions.discard(session)
            self._metrics.open.dec()
            self._metrics.ended.labels(session.end_reason).inc()
            logger.info("stream ended", extra={"server_id": session.server_id, "reason": session.end_reason})

    def drain(self) -> None:
        """Send every agent away, and keep no new ones."""
        self.farewells.begin(self._by_server.keys())
        for session in self._sessions:
            session.drain()
