"""Full-size samples of random values, and the checksum by which a stored sample is known again."""

import math
import random
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from flick.v1 import catalog_pb2, telemetry_pb2
from services.ingest.intake.samples import CORE_COUNT

LABELLED = 40
PROCESSES = 10
LAYOUT_ID = 1

_CORES = 28  # the rest of the labelled series are three interfaces with four metrics each
_INTERFACE_METRICS = (520, 521, 522, 523)
_CORE_FORM = struct.Struct(f"<{CORE_COUNT}d")


@dataclass(frozen=True, slots=True)
class Measured:
    """A sample: its time in microseconds since the Unix epoch, its checksum, and itself, serialized."""

    time_us: int
    checksum: int
    payload: bytes


def checksum(
    *, core: Sequence[float | None], layout_digest: bytes, labelled: Sequence[float | None], processes: bytes
) -> int:
    """The CRC-32 of a sample's content as it is stored; what was not measured is None or NaN.

    Args:
        core: all scalar columns in order.
        layout_digest: SHA-256 of the serialized series that `labelled` follows; empty without labelled values.
        labelled: single-precision numbers.
        processes: the serialized snapshot.
    """
    numbers = _CORE_FORM.pack(*_plain(core)) + struct.pack(f"<{len(labelled)}f", *_plain(labelled))
    return zlib.crc32(processes, zlib.crc32(numbers, zlib.crc32(layout_digest)))


def _plain(values: Sequence[float | None]) -> list[float]:
    return [math.nan if value is None or value != value else value for value in values]


class Instrument:
    """Measures samples of every core value, 40 labelled ones and 10 processes; everything in them is random."""

    def __init__(self, *, rng: random.Random) -> None:
        self._rng = rng
        self.layout = telemetry_pb2.Layout(layout_id=LAYOUT_ID, series=_series())
        series = telemetry_pb2.Layout(series=self.layout.series)
        self._digest = sha256(series.SerializeToString()).digest()
        self._snapshot = telemetry_pb2.ProcessSnapshot(
            processes=[
                telemetry_pb2.Process(
                    pid=1000 + number, name=f"worker-{number}", command=f"/usr/bin/worker --number {number}",
                    user="service", state="running", thread_count=4,
                )
                for number in range(PROCESSES)
            ]
        )  # fmt: skip

    def measure(self, time_us: int) -> Measured:
        """A sample of that moment."""
        rng = self._rng
        core = [rng.random() for _ in range(CORE_COUNT)]
        for process in self._snapshot.processes:
            process.cpu_utilization = rng.random()
            process.memory_rss = rng.getrandbits(33)
        processes = self._snapshot.SerializeToString()
        sample = telemetry_pb2.Sample(
            time_unix_nano=time_us * 1000,
            core=core,
            layout_id=LAYOUT_ID,
            labelled=[rng.random() for _ in range(LABELLED)],
            processes=processes,
        )
        found = checksum(core=core, layout_digest=self._digest, labelled=sample.labelled, processes=processes)
        return Measured(time_us, found, sample.SerializeToString())


def _series() -> list[telemetry_pb2.Series]:
    cores = [(500, str(number)) for number in range(_CORES)]
    interfaces = [(metric, f"eth{number}") for number in range(3) for metric in _INTERFACE_METRICS]
    return [
        telemetry_pb2.Series(metric=catalog_pb2.Metric.ValueType(metric), label_values=[label])
        for metric, label in [*cores, *interfaces]
    ]
