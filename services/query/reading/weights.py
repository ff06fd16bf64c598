"""How long samples stand for, by which they are averaged where steps are those of rollups. Pure.

It is what services/ingest/rollups/weights.py makes rollups by, so that it makes no difference what is rolled up.
"""

from itertools import pairwise

import numpy as np

from services.query.rules.delivery import HOUR_US
from services.query.rules.plan import Times

CAP_DISTANCES = 3  # a sample that is further from the next one than so many usual distances has a gap behind it
LONE_US = 15_000_000  # the only sample of an hour: three times the interval that agents have by default


def weigh(times_us: Times) -> Times:
    """How many microseconds each sample stands for: until the next one or the hour's end, but no gap.

    Args:
        times_us: of all samples of a server in some whole hours, whatever their layout: ascending, no two alike.
    """
    begins = np.flatnonzero(np.diff(times_us // HOUR_US, prepend=-1)).tolist()
    parts = [_weigh_hour(times_us[begin:end]) for begin, end in pairwise([*begins, len(times_us)])]
    return np.concatenate(parts) if parts else np.array([], np.int64)


def _weigh_hour(times_us: Times) -> Times:
    distances = np.diff(times_us)
    ahead = np.append(distances, (times_us[-1] // HOUR_US + 1) * HOUR_US - times_us[-1])
    middle = len(distances) // 2
    cap_us = CAP_DISTANCES * np.partition(distances, middle)[middle] if len(distances) else LONE_US
    weights: Times = np.minimum(ahead, cap_us)
    return weights
