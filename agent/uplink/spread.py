"""When a server's new samples are sent, so that not all servers send at the same moment. Pure."""

import zlib

from agent.sampler.orders import Wanted

SPREAD_S = 1.0  # every agent samples at the same moments; sent at once, all samples would reach ingest in one burst
_OF_INTERVAL = 5  # nobody waits for more than a fifth of the interval
_STEPS = 1000


def held_back_s(*, server_id: str, wanted: Wanted, spread_s: float) -> float:
    """How many seconds after it was taken a sample is sent: always the same for a server, below `spread_s`.

    What somebody watches is sent at once.
    """
    return unwatched_s(server_id=server_id, wanted=wanted, spread_s=spread_s) if wanted.live_interval_s is None else 0.0


def unwatched_s(*, server_id: str, wanted: Wanted, spread_s: float) -> float:
    """The same for what nobody watches, whether somebody does now or not: what ingest is told."""
    phase = zlib.crc32(server_id.encode()) % _STEPS / _STEPS
    return phase * min(spread_s, wanted.interval_s / _OF_INTERVAL)
