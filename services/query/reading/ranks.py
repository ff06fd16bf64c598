"""Which number stands at which rank among many that are sorted in parts. Pure.

To sort millions of numbers at once would hold up every other call of the process for a second.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence


def at_share(parts: Sequence[Sequence[int]], share: float) -> int:
    """The least number that is not less than `share` of all: what SQL calls percentile_disc.

    Args:
        parts: each sorted; one of them at least holds a number.
        share: from 0 to 1.
    """
    filled = [one for one in parts if one]
    rank = max(1, math.ceil(share * sum(map(len, filled))))
    least, most = min(one[0] for one in filled), max(one[-1] for one in filled)
    while least < most:
        middle = (least + most) // 2
        if sum(bisect_right(one, middle) for one in filled) >= rank:
            most = middle
        else:
            least = middle + 1
    return least
