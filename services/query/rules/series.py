"""Which series a server has and where each one's values are stored. Pure."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from flick.errors import invalid
from services.query.rules.catalog import Selector

Layout = Sequence[tuple[int | Selector, Sequence[str]]]
"""Metric number, or a custom metric, and label values, in the order of a sample's values."""

CORE = 0  # stands for the layout of core columns, which all samples have; ids of layouts are larger
LABELLED_COLUMN = "labelled"


@dataclass(frozen=True, kw_only=True, order=True)
class Cell:
    """A column, or an element of an array in one. `position` counts from 1 as in SQL; 0: the column itself."""

    column: str
    position: int = 0


@dataclass(frozen=True, kw_only=True)
class Series:
    """One series: a scalar metric, or a labelled one with certain labels.

    Attributes:
        selector: its row of the catalogue.
        label_values: of the selector's label keys.
        cells: where its values are, by layout.
        pushed: whether some of these layouts are of what was pushed to the server.
    """

    selector: Selector
    label_values: tuple[str, ...]
    cells: Mapping[int, Cell]
    pushed: bool = False

    @property
    def labels(self) -> dict[str, str]:
        """All its labels."""
        return self.selector.labels(self.label_values)


def find_series(
    selectors: Sequence[Selector], layouts: Mapping[int, Layout], *, pushed: Container[int] = ()
) -> list[Series]:
    """The series of `selectors`: every scalar, and those that `layouts` declare; equal labels are one series.

    `pushed` tells which of the layouts are of what was pushed to the server.

    Ordered as the selectors, then by name where one stands for every custom metric, then by label values, numbers by
    their size.
    """
    declared = _declared({one.number for one in selectors if not one.column}, layouts)
    found = []
    for one in selectors:
        if one.column:
            found.append(Series(selector=one, label_values=(), cells={CORE: Cell(column=one.column)}))
            continue
        if one.custom:
            found += [
                replace(series, pushed=any(layout_id in pushed for layout_id in series.cells))
                for series in _custom_series(one.name, layouts)
            ]
            continue
        by_values = declared.get(one.number, {})
        found += [
            Series(selector=one, label_values=values, cells=by_values[values])
            for values in sorted(by_values, key=_by_size)
            if len(values) == len(one.label_keys)
        ]
    return found


def with_labels(selectors: Sequence[Selector], labels: Mapping[str, str]) -> list[Selector]:
    """The selectors that may have series with these labels: of custom ones nobody knows.

    Raises INVALID_ARGUMENT when none has one of the keys.
    """
    for key in labels:
        if not any(one.custom or key in one.fixed_labels or key in one.label_keys for one in selectors):
            raise invalid("labels", f"names {key[:100]!r}, which is a label of none of the metrics asked for.")
    return [one for one in selectors if one.custom or _may_have(one, labels)]


def _may_have(selector: Selector, labels: Mapping[str, str]) -> bool:
    return all(selector.fixed_labels.get(key) == value or key in selector.label_keys for key, value in labels.items())


def cells_of(series: Iterable[Series], *, core: bool) -> list[Cell]:
    """The cells that hold the values of `series`, either of its scalars or of the others."""
    return sorted({cell for one in series for cell in one.cells.values() if (cell.position == 0) == core})


def _declared(numbers: set[int], layouts: Mapping[int, Layout]) -> dict[int, dict[tuple[str, ...], dict[int, Cell]]]:
    """By metric number and label values: where each layout has the series."""
    found: dict[int, dict[tuple[str, ...], dict[int, Cell]]] = {}
    for layout_id, layout in layouts.items():
        for position, (number, label_values) in enumerate(layout, start=1):
            if isinstance(number, int) and number in numbers:
                cells = found.setdefault(number, {}).setdefault(tuple(label_values), {})
                cells.setdefault(layout_id, Cell(column=LABELLED_COLUMN, position=position))
    return found


def _custom_series(name: str, layouts: Mapping[int, Layout]) -> list[Series]:
    """The series of a custom metric, or of each where `name` is empty, described as the newest layout does."""
    cells: dict[tuple[str, frozenset[tuple[str, str]]], dict[int, Cell]] = {}
    newest: dict[tuple[str, frozenset[tuple[str, str]]], tuple[Selector, tuple[str, ...]]] = {}
    for layout_id, layout in sorted(layouts.items()):
        for position, (metric, label_values) in enumerate(layout, start=1):
            if not isinstance(metric, Selector) or (name and metric.name != name):
                continue
            if len(label_values) == len(metric.label_keys):
                key = (metric.name, frozenset(metric.labels(label_values).items()))
                cells.setdefault(key, {})[layout_id] = Cell(column=LABELLED_COLUMN, position=position)
                newest[key] = (metric, tuple(label_values))
    return [
        Series(selector=newest[key][0], label_values=newest[key][1], cells=cells[key])
        for key in sorted(cells, key=lambda one: (one[0], newest[one][0].label_keys, _by_size(newest[one][1])))
    ]


def _by_size(label_values: tuple[str, ...]) -> list[tuple[int, str]]:
    return [(len(value) if value.isdecimal() else 0, value) for value in label_values]
