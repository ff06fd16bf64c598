"""What all streams of a process share."""

import asyncio
import random
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from flick.clock import Clock
from flick.rpc.access.source import AgentKey
from flick.v1 import servers_pb2
from services.ingest.intake.admission import Admission
from services.ingest.intake.layouts import LayoutIds
from services.ingest.live.announcer import Announcer
from services.ingest.live.watched import Watched
from services.ingest.metrics import IngestMetrics
from services.ingest.streams.times import StreamTimes
from services.ingest.writing.writer import Writer


class Access(Protocol):
    """What is granted now; `flick.rpc.access.watch.AccessWatch` is one."""

    @property
    def fresh(self) -> bool:
        """Whether changes are heard of at once."""
        ...

    async def agent_key(self, *, key_id: str) -> AgentKey | None:
        """The key, or None when there is none or it is revoked. Raises UNAVAILABLE."""
        ...

    async def settings(self, *, server_id: str) -> servers_pb2.ServerSettings | None:
        """The server's settings, or None when there is no such server. Raises UNAVAILABLE."""
        ...

    def listen(self, *, server_id: str) -> AbstractContextManager[asyncio.Event]:
        """An event that is set whenever something about the server or its keys changes."""
        ...


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The shared parts."""

    writer: Writer
    admission: Admission
    layout_ids: LayoutIds
    watched: Watched
    announcer: Announcer
    access: Access
    metrics: IngestMetrics
    times: StreamTimes
    clock: Clock
    rng: random.Random
