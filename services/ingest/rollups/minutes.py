"""The samples of a server's hour as buckets of a minute. Pure."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.ingest.arrays import Numbers, Wholes
from services.ingest.rollups.blocks import Rollup, RollupBlock, join_layouts, pack
from services.ingest.rollups.buckets import HOUR_US, MINUTE_US, Buckets
from services.ingest.rollups.weights import weigh


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Samples of one owner and layout.

    Attributes:
        organization_id, layout_id: what they have in common; layout 0 is none.
        moments: when they were measured, in microseconds since the Unix epoch, ascending.
        core, labelled: a row of floats for each metric and each place of the layout; None without layout.
    """

    organization_id: uuid.UUID
    layout_id: int
    moments: Wholes
    core: Numbers
    labelled: Numbers | None


def minutes_of(parts: Sequence[Part]) -> list[Rollup]:
    """All samples of a server's hour, by layout."""
    moments = np.sort(np.concatenate([one.moments for one in parts]))
    weights = weigh(moments, end_us=(int(moments[0]) // HOUR_US + 1) * HOUR_US)
    samples = [_samples(one, weights[np.searchsorted(moments, one.moments)]) for one in parts]
    return [one.gather(MINUTE_US) for one in join_layouts(samples)]


def pack_minutes(parts: Sequence[Part]) -> list[RollupBlock]:
    """The same as blocks."""
    return [pack(one) for one in minutes_of(parts)]


def _samples(part: Part, weights: Wholes) -> Rollup:
    labelled = None
    if part.labelled is not None:
        labelled = Buckets.of_samples(part.moments, weights, part.labelled)
    return Rollup(
        organization_id=part.organization_id,
        layout_id=part.layout_id,
        core=Buckets.of_samples(part.moments, weights, part.core),
        labelled=labelled,
    )
