"""The log of one agent: what it sent and what it was promised, written before and after, in a file of its own."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from flick.v1 import ingest_pb2
from tests.chaos.load.lanes import Batch

_SUFFIX = ".log"


@dataclass(slots=True)
class SentBatch:
    """A batch as it was logged. `checksums` has that of each sample by its time in microseconds."""

    checksums: dict[int, int]
    acked: bool = False
    rejected: int = 0


@dataclass(slots=True)
class History:
    """Everything that one log tells. `fatals` are in the words of ingest."""

    batches: list[SentBatch] = field(default_factory=list)
    dropped: int = 0
    fatals: list[str] = field(default_factory=list)

    def sent(self) -> dict[int, int]:
        """The checksum of every sample that was sent, by its time."""
        return {at: value for batch in self.batches for at, value in batch.checksums.items()}

    def acked(self) -> dict[int, int]:
        """The same of every batch that was acked without a rejection."""
        return {
            at: value
            for batch in self.batches
            if batch.acked and not batch.rejected
            for at, value in batch.checksums.items()
        }


class AgentLog:
    """Appends to a file, a line per event, each handed to the kernel at once: it outlives a kill of the load.

    Args:
        path: the file; None: one that nobody else sees and that goes with this object.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._file = path.open("ab+", buffering=0) if path else tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - open as long as the agent lives

    def sent(self, batch: Batch) -> None:
        """To be told before a batch is sent for the first time."""
        samples = " ".join(f"{one.time_us}:{one.checksum:x}" for one in batch.samples)
        self._write(f"sent {batch.lane} {batch.seq} {samples}")

    def acked(self, batch: Batch) -> None:
        """A batch is acked."""
        self._write(f"acked {batch.lane} {batch.seq}")

    def rejected(self, lane: int, rejection: ingest_pb2.Rejection) -> None:
        """Samples of a batch were refused. To be told before its ack."""
        reason = ingest_pb2.RejectionReason.Name(rejection.reason)
        self._write(f"rejected {lane} {rejection.seq} {rejection.count} {reason}")

    def dropped(self, count: int) -> None:
        """Samples were given up before they were sent."""
        self._write(f"dropped {count}")

    def fatal(self, message: str) -> None:
        """Ingest ended a stream for good reason, as it thinks."""
        self._write(f"fatal {message}")

    def read(self) -> History:
        """Everything since the beginning."""
        history, open_batches = History(), dict[tuple[str, str], SentBatch]()
        for kind, rest in self._lines():
            match kind:
                case "sent":
                    lane, seq, *samples = rest.split(" ")
                    batch = SentBatch(dict(_sample(one) for one in samples))
                    open_batches[lane, seq] = batch
                    history.batches.append(batch)
                case "acked":
                    lane, seq = rest.split(" ")
                    open_batches.pop((lane, seq)).acked = True
                case "rejected":
                    lane, seq, count, _ = rest.split(" ")
                    open_batches[lane, seq].rejected += int(count)
                case "dropped":
                    history.dropped += int(rest)
                case "fatal":
                    history.fatals.append(rest)
        return history

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def _write(self, line: str) -> None:
        self._file.write(line.encode() + b"\n")

    def _lines(self) -> Iterator[tuple[str, str]]:
        self._file.seek(0)
        for line in self._file.read().decode().splitlines():
            kind, _, rest = line.partition(" ")
            yield kind, rest


def log_path(folder: Path, server_id: str) -> Path:
    """Where the log of a server's agent is in a folder of logs."""
    return folder / f"{server_id}{_SUFFIX}"


def _sample(text: str) -> tuple[int, int]:
    time_us, _, value = text.partition(":")
    return int(time_us), int(value, 16)
