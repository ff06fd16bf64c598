"""What the servers of the set measured: random walks, drawn anew from a seed for each server and hour."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flick.v1 import catalog_pb2
from services.query.rules.catalog import Catalog
from tests.bench.storage.day import layout
from tests.bench.years.size import HOUR_SAMPLES, INTERVAL_S

HOUR_US = 3600 * 1_000_000
MEASURED = 25  # of the scalar metrics; the others are none of this kind of server
CORE_NAMES = {
    number: name.removeprefix("METRIC_").lower() for name, number in catalog_pb2.Metric.items() if 0 < number < 500
}
_SCALARS = sorted((one for one in Catalog.from_contract().resolve([]) if one.column), key=lambda one: one.number)[
    :MEASURED
]
_ROWS = Counter(one.name for one in _SCALARS)
PLAIN = [(place, one.name) for place, one in enumerate(_SCALARS[:MEASURED]) if _ROWS[one.name] == 1][:5]
"""The scalar metrics that are in plain tables as well: where each stands among all, and its name, of one series."""
SERIES = list(layout().series)
DISK_USED = next(
    place
    for place, one in enumerate(SERIES)
    if one.metric == catalog_pb2.METRIC_FILESYSTEM_USED and "/" in one.label_values
)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """Samples of a server, every 5 s: times in microseconds, a row of values for each metric."""

    times_us: npt.NDArray[np.int64]
    core: Floats
    labelled: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """Buckets of a server: times in microseconds; minima, averages and maxima, a row for each metric."""

    times_us: npt.NDArray[np.int64]
    core: tuple[Floats, Floats, Floats]
    labelled: tuple[Floats, Floats, Floats]


def hour_of(server: int, hour_us: int) -> Hour:
    """An hour of a server; each server measures at an offset of its own."""
    rng = np.random.default_rng((server, hour_us // HOUR_US))
    times_us = hour_us + np.arange(HOUR_SAMPLES) * INTERVAL_S * 1_000_000 + server % INTERVAL_S * 1_000_000 + server
    return Hour(
        times_us=times_us,
        core=_walks(rng, MEASURED, HOUR_SAMPLES),
        labelled=_walks(rng, len(SERIES), HOUR_SAMPLES).astype(np.float32).astype(np.float64),
    )


def buckets_of(server: int, start_us: int, count: int, bucket_us: int) -> Rolled:
    """Buckets of a server that follow one another."""
    rng = np.random.default_rng((server, start_us // HOUR_US, bucket_us // 1_000_000))
    core, labelled = (_walks(rng, width, count) for width in (MEASURED, len(SERIES)))
    return Rolled(
        times_us=start_us + np.arange(count) * bucket_us,
        core=(core - 1, core, core + 1),
        labelled=(labelled - 1, labelled, labelled + 1),
    )


def _walks(rng: np.random.Generator, width: int, count: int) -> Floats:
    return rng.uniform(1e3, 1e9, (width, 1)) + np.round(rng.normal(0, 100, (width, count)).cumsum(axis=1), 2)
