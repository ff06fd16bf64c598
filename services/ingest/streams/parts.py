"""What all streams of a process share."""

import random
from dataclasses import dataclass

from flick.clock import Clock
from services.ingest.hosts import Hosts
from services.ingest.intake.admission import Admission
from services.ingest.intake.layouts import LayoutIds
from services.ingest.ledger.ledger import Ledger
from services.ingest.live.announcer import Announcer
from services.ingest.live.watched import Watched
from services.ingest.metrics import IngestMetrics
from services.ingest.streams.minding import Access, Minding
from services.ingest.streams.rounds import Rounds
from services.ingest.streams.times import StreamTimes
from services.ingest.writing.writer import Writer


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The shared parts."""

    writer: Writer
    ledger: Ledger
    admission: Admission
    layout_ids: LayoutIds
    watched: Watched
    announcer: Announcer
    access: Access
    minding: Minding
    rounds: Rounds
    metrics: IngestMetrics
    times: StreamTimes
    hosts: Hosts
    clock: Clock
    rng: random.Random
