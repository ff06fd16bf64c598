"""What a person should know of a server's delivery, gathered until it is written. Pure."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from flick.v1 import delivery_pb2
from services.ingest.ledger.streams import Stream

EventKind: TypeAlias = delivery_pb2.DeliveryEventKind.ValueType


@dataclass(slots=True, kw_only=True)
class Event:
    """Something that happened to a server's delivery, `count` times since `time`."""

    stream: Stream
    time: datetime
    kind: EventKind
    detail: str
    count: int = 1


class Events:
    """Events that wait to be written: one of each kind and server."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[uuid.UUID, EventKind], Event] = {}

    def add(self, event: Event) -> None:
        """Note an event; the same again is counted."""
        waiting = self._waiting.setdefault((event.stream.server_id, event.kind), event)
        if waiting is not event:
            waiting.count += event.count

    def take(self) -> list[Event]:
        """What waits, in an order that all processes share, so that their commits never wait in a ring."""
        events = [event for _, event in sorted(self._waiting.items())]
        self._waiting.clear()
        return events

    def put_back(self, events: Iterable[Event]) -> None:
        """They could not be written now."""
        newer = self.take()
        for event in (*events, *newer):
            self.add(event)
