"""Which number stands at which rank among many that are sorted in parts. Pure.

To sort millions of numbers at once would hold up every other call of the process for a second.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def at_share(parts: Sequence[npt.NDArray[np.int64]], share: float) -> int:
    """The least number that is not less than `share` of all: what SQL calls percentile_disc.

    Args:
        parts: each sorted; one of them at least holds a number.
        share: from 0 to 1.
    """
    filled = [one for one in parts if len(one)]
    rank = max(1, math.ceil(share * sum(map(len, filled))))
    least, most = min(int(one[0]) for one in filled), max(int(one[-1]) for one in filled)
    while least < most:
        middle = (least + most) // 2
        if sum(np.searchsorted(one, middle, side="right") for one in filled) >= rank:
            most = middle
        else:
            least = middle + 1
    return least
