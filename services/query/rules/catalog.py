"""The metric catalogue, read from the contract: which name stands for which stored values. Pure."""

import difflib
import importlib.resources
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import EnumValueDescriptor

from flick.custom_metrics import name_fault
from flick.errors import FlickError, invalid
from flick.v1 import catalog_pb2, options_pb2, query_pb2

FIRST_LABELLED = 500  # the contract: numbers below are scalars, each in a column of its own
_ENUM_TYPE_FIELD = descriptor_pb2.FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER
_VALUE_FIELD = descriptor_pb2.EnumDescriptorProto.VALUE_FIELD_NUMBER


@dataclass(frozen=True, kw_only=True)
class Selector:
    """One row of the catalogue.

    Attributes:
        number: of the enum `Metric`; a scalar stands at position number - 1 of a sample's core values.
        name, unit, kind: as the contract says.
        column: where a scalar is stored; empty for a labelled metric.
        fixed_labels: labels that every value of the row has.
        label_keys: keys whose values differ from series to series, in the order of a layout's label values.
        description: the contract's comment.
        custom: whether it is no row of the catalogue but a metric of a server's own. Its number is 0. One that is asked
            for has but a name, or not even that, and stands for whatever layouts call so.
    """

    number: int
    name: str
    unit: str
    kind: options_pb2.MetricKind.ValueType
    column: str
    fixed_labels: Mapping[str, str]
    label_keys: tuple[str, ...]
    description: str
    custom: bool = False

    def labels(self, values: Sequence[str]) -> dict[str, str]:
        """All labels of the series that a layout declares with `values`."""
        return {**self.fixed_labels, **dict(zip(self.label_keys, values, strict=True))}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a viewer wants: rows of the catalogue by number, custom metrics by name; `any_custom`: all of these."""

    numbers: frozenset[int]
    names: frozenset[str]
    any_custom: bool

    def __contains__(self, metric: int | Selector) -> bool:
        if isinstance(metric, Selector):
            return self.any_custom or metric.name in self.names
        return metric in self.numbers


class Catalog:
    """Every built-in metric. What is called as no built-in one can be is taken for a custom one."""

    def __init__(self, *, selectors: Iterable[Selector]) -> None:
        self._by_number = {one.number: one for one in sorted(selectors, key=lambda one: one.number)}
        self._by_name: dict[str, tuple[Selector, ...]] = {}
        for one in self._by_number.values():
            self._by_name[one.name] = (*self._by_name.get(one.name, ()), one)

    @classmethod
    def from_contract(cls) -> "Catalog":
        """The catalogue that the generated stubs hold, described by the comments in `flick/v1/descriptors.binpb`."""
        files = importlib.resources.files("flick.v1").joinpath("descriptors.binpb").read_bytes()
        comments = _comments(descriptor_pb2.FileDescriptorSet.FromString(files))
        values = (one for one in catalog_pb2.Metric.DESCRIPTOR.values if one.number)
        return cls(selectors=[_selector(one, comments[one.name]) for one in values])

    @property
    def rows(self) -> Sequence[Selector]:
        """Every row of the catalogue, by number."""
        return tuple(self._by_number.values())

    def find(self, number: int) -> Selector | None:
        """The row of a metric's number, or None when this version does not know it."""
        return self._by_number.get(number)

    def resolve(self, names: Sequence[str], *, field: str = "names") -> tuple[Selector, ...]:
        """The rows of `names`, each name once and in their order; of an empty list all rows and whatever is custom.

        Raises INVALID_ARGUMENT naming the closest name when one is not known and can't be that of a custom metric.
        """
        if not names:
            return (*self.rows, _custom(""))
        return tuple(row for name in dict.fromkeys(names) for row in self._rows(name, field))

    def wanted(self, names: Sequence[str]) -> Wanted:
        """The metrics of `names`; of an empty list all. Raises as `resolve`."""
        selectors = self.resolve(names)
        return Wanted(
            numbers=frozenset(one.number for one in selectors if not one.custom),
            names=frozenset(one.name for one in selectors if one.custom),
            any_custom=not names,
        )

    def closest(self, name: str, others: Iterable[str] = ()) -> str:
        """The name that was most likely meant, of the catalogue's and `others`."""
        shown = name[:100]
        return max((*self._by_name, *others), key=lambda one: (len(_words(one) & _words(shown)), _likeness(one, shown)))

    def descriptors(self) -> list[query_pb2.MetricDescriptor]:
        """What the API tells of each metric, by name."""
        return [_describe(rows) for _, rows in sorted(self._by_name.items())]

    def _rows(self, name: str, field: str) -> tuple[Selector, ...]:
        rows = self._by_name.get(name)
        if rows is None and not name_fault(name):
            return (_custom(name),)
        if rows is None:
            raise self._unknown(name, field)
        return rows

    def _unknown(self, name: str, field: str) -> FlickError:
        shown = name if len(name) <= 100 else f"{name[:100]}…"
        return invalid(field, f"{shown!r} is no metric of the catalogue; the closest is {self.closest(name)!r}.")


def _custom(name: str) -> Selector:
    """A custom metric that is asked for; empty: each."""
    return Selector(
        number=0,
        name=name,
        unit="",
        kind=options_pb2.METRIC_KIND_UNSPECIFIED,
        column="",
        fixed_labels={},
        label_keys=(),
        description="",
        custom=True,
    )


def _words(name: str) -> set[str]:
    return set(name.replace("_", ".").lower().split("."))


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def _selector(value: EnumValueDescriptor, comment: str) -> Selector:
    rule = value.GetOptions().Extensions[options_pb2.metric]
    return Selector(
        number=value.number,
        name=rule.name,
        unit=rule.unit,
        kind=rule.kind,
        column=value.name.removeprefix("METRIC_").lower() if value.number < FIRST_LABELLED else "",
        fixed_labels=dict(label.split("=", 1) for label in rule.fixed_labels),
        label_keys=tuple(rule.label_keys),
        description=comment,
    )


def _comments(files: descriptor_pb2.FileDescriptorSet) -> Mapping[str, str]:
    """The comment above each value of `Metric`, by the value's name."""
    file = next(one for one in files.file if one.name == catalog_pb2.DESCRIPTOR.name)
    index, enum = next(
        (i, one) for i, one in enumerate(file.enum_type) if one.name == catalog_pb2.Metric.DESCRIPTOR.name
    )
    found = {tuple(one.path): " ".join(one.leading_comments.split()) for one in file.source_code_info.location}
    return {value.name: found.get((_ENUM_TYPE_FIELD, index, _VALUE_FIELD, i), "") for i, value in enumerate(enum.value)}


def _describe(rows: Sequence[Selector]) -> query_pb2.MetricDescriptor:
    first = rows[0]
    return query_pb2.MetricDescriptor(
        name=first.name,
        description=first.description if len(rows) == 1 else "\n".join(_line(row) for row in rows),
        unit=first.unit,
        kind=first.kind,
        label_keys=dict.fromkeys(key for row in rows for key in (*row.fixed_labels, *row.label_keys)),
    )


def _line(row: Selector) -> str:
    return f"{', '.join(f'{key}={value}' for key, value in row.fixed_labels.items())}: {row.description}"
