"""Which series a server has and where each one's values stand in the stored arrays. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.query.catalog import Selector

Layout = Sequence[tuple[int, Sequence[str]]]  # metric number and label values, in the order of a sample's values


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a series' values stand in samples of one layout. `position` counts from 1, as in SQL."""

    layout_id: int
    position: int


@dataclass(frozen=True, kw_only=True)
class LabelledSeries:
    """One series of a labelled metric, with its places in every layout that has it."""

    selector: Selector
    label_values: tuple[str, ...]
    places: tuple[Place, ...]

    @property
    def labels(self) -> dict[str, str]:
        """All its labels."""
        return self.selector.labels(self.label_values)


def join_layouts(selectors: Sequence[Selector], layouts: Mapping[int, Layout]) -> list[LabelledSeries]:
    """The series of `selectors` that `layouts` declare; the same labels in several layouts are one series.

    Ordered as the selectors, then by label values, numbers by their size.
    """
    wanted = {one.number for one in selectors if not one.column}
    places: dict[tuple[int, tuple[str, ...]], list[Place]] = {}
    for layout_id, layout in sorted(layouts.items()):
        for position, (number, label_values) in enumerate(layout, start=1):
            if number in wanted:
                key = (number, tuple(label_values))
                places.setdefault(key, []).append(Place(layout_id=layout_id, position=position))
    by_number: dict[int, list[tuple[str, ...]]] = {}
    for number, values in places:
        by_number.setdefault(number, []).append(values)
    return [
        LabelledSeries(selector=one, label_values=values, places=tuple(places[one.number, values]))
        for one in selectors
        for values in sorted(by_number.get(one.number, ()), key=_by_size)
        if len(values) == len(one.label_keys)
    ]


def _by_size(label_values: tuple[str, ...]) -> list[tuple[int, str]]:
    return [(len(value) if value.isdecimal() else 0, value) for value in label_values]
