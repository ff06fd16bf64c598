"""How long each sample of an hour stands for, by which samples are averaged. Pure.

It depends on the samples of that hour alone, so that late samples change nothing but their own hour.
"""

import numpy as np

from services.ingest.arrays import Wholes

CAP_DISTANCES = 3  # a sample that is further from the next one than so many usual distances has a gap behind it
LONE_US = 15_000_000  # the only sample of an hour: three times the interval that agents have by default


def weigh(moments: Wholes, *, end_us: int) -> Wholes:
    """How many microseconds each sample stands for: until the next one or the hour's end, but no gap.

    Args:
        moments: of all samples of a server in an hour, whatever their layout: ascending, no two alike.
        end_us: the end of the hour, behind the last of them.
    """
    distances = np.diff(moments)
    ahead = np.append(distances, end_us - moments[-1])
    weights: Wholes = np.minimum(ahead, _cap_us(distances))
    return weights


def _cap_us(distances: Wholes) -> int:
    """Three times the median, of an even number the upper one."""
    if not len(distances):
        return LONE_US
    middle = len(distances) // 2
    return CAP_DISTANCES * int(np.partition(distances, middle)[middle])
