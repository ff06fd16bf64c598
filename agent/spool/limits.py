"""How much a spool holds."""

from dataclasses import dataclass

MIB = 1024 * 1024
MAX_BYTES = 64 * MIB
MAX_AGE_S = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """Bounds of a spool.

    Args:
        max_bytes: of samples that wait; what is on its way, bounded by credits, comes on top. Default 64 MiB: a day of
            samples of 3.8 KiB every 5 s.
        max_age_ns: how much older than the newest a sample may be while new ones don't flow. Default 24 h.
        live_samples: how many wait for the live lane; older ones wait for the backfill lane. Default 12: a minute.
        frame_samples: how many a frame holds. Default 60.
        frame_bytes: of samples in a frame, unless a single one is larger. Default 64 KiB of the 4 MiB that the
            contract allows: ingest's gRPC takes in the whole next frame of every stream, whether or not there is room.
        losses: how many separate spans of loss are kept apart. Default 100.
    """

    max_bytes: int = MAX_BYTES
    max_age_ns: int = MAX_AGE_S * 10**9
    live_samples: int = 12
    frame_samples: int = 60
    frame_bytes: int = 64 * 1024
    losses: int = 100


IN_MEMORY = SpoolLimits(max_bytes=8 * MIB)
"""Of the spool that takes the disk's place: five to eight hours at one sample in 5 s."""
_WITHOUT_SPOOL_BYTES = 45_000_000  # what the agent holds otherwise
_LEAST_IN_MEMORY = MIB


def limits_in_memory(budget_bytes: int) -> SpoolLimits:
    """Of the spool that takes the disk's place, when the whole agent may hold `budget_bytes`: half of what is left."""
    left = (budget_bytes - _WITHOUT_SPOOL_BYTES) // 2
    return SpoolLimits(max_bytes=min(max(left, _LEAST_IN_MEMORY), IN_MEMORY.max_bytes))
