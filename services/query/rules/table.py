"""History as a table, for spreadsheets and programs: a row for each sample, a column for each series. Pure."""

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np

from flick.errors import invalid
from services.query.rules.points import Block
from services.query.rules.series import Cell, Series

PIECE_ROWS = 1000  # are put into one piece of text, unless they have many columns
PIECE_VALUES = 10_000  # some 200 KB

_EPOCH = datetime.fromtimestamp(0, tz=UTC)

Row = tuple[int, Sequence[float | None]]
"""A sample: its time in microseconds since the Unix epoch, and a value for each column; None: not measured."""


class Form(Protocol):
    """How a table is written."""

    content_type: str

    def head(self, series: Sequence[Series]) -> str:
        """What comes first: names, labels and units of the columns."""

    def body(self, rows: Iterable[Row]) -> str:
        """Some rows."""


class Csv:
    """Comma-separated values as RFC 4180 has them, the first line naming the columns."""

    content_type = "text/csv; charset=utf-8"

    def __init__(self, *, zone: ZoneInfo) -> None:
        self._zone = zone

    def head(self, series: Sequence[Series]) -> str:
        """See `Form`."""
        return _csv([["time", *map(_title, series)]])

    def body(self, rows: Iterable[Row]) -> str:
        """See `Form`."""
        return _csv([tell_time(time_us, self._zone), *_texts(values)] for time_us, values in rows)


class Ndjson:
    """A JSON object a line: the first tells the columns, each other one is a sample."""

    content_type = "application/x-ndjson"

    def __init__(self, *, zone: ZoneInfo) -> None:
        self._zone = zone

    def head(self, series: Sequence[Series]) -> str:
        """See `Form`."""
        columns = [{"name": one.selector.name, "labels": one.labels, "unit": one.selector.unit} for one in series]
        return _line({"timeZone": self._zone.key, "columns": columns})

    def body(self, rows: Iterable[Row]) -> str:
        """See `Form`."""
        return "".join(
            _line({"time": tell_time(time_us, self._zone), "values": list(map(_sayable, values))})
            for time_us, values in rows
        )


def find_form(name: str, zone: ZoneInfo) -> Form:
    """The form of a name. Raises INVALID_ARGUMENT when there is none."""
    match name:
        case "" | "csv":
            return Csv(zone=zone)
        case "ndjson":
            return Ndjson(zone=zone)
    raise invalid("format", f"is {name[:60]!r}; write csv or ndjson.")


def tell_time(time_us: int, zone: ZoneInfo) -> str:
    """A moment in RFC 3339, with the zone's offset at that moment."""
    return (_EPOCH + timedelta(microseconds=time_us)).astimezone(zone).isoformat()


def join_rows(series: Sequence[Series], parts: Iterable[tuple[Sequence[Cell], Sequence[Block]]]) -> list[Row]:
    """The rows of a table out of what was read of core columns and of labelled arrays, in the order of time.

    A sample of which nothing that was asked for was measured is no row.
    """
    found: dict[int, list[float | None]] = {}
    for cells, blocks in parts:
        places = _places(series, cells)
        for block in blocks:
            for place, index in places.get(block.layout_id, ()):
                values = block.values[index]
                measured = ~np.isnan(values)
                for time_us, value in zip(block.times_us[measured].tolist(), values[measured].tolist(), strict=True):
                    if time_us not in found:
                        found[time_us] = [None] * len(series)
                    found[time_us][place] = value
    return sorted(found.items())


def pieces(form: Form, rows: Sequence[Row], *, columns: int) -> list[bytes]:
    """The rows as text, in pieces that are not large."""
    size = min(PIECE_ROWS, PIECE_VALUES // columns + 1)
    return [form.body(some).encode() for some in _groups(rows, size)]


def _groups(rows: Sequence[Row], size: int) -> Iterator[list[Row]]:
    left = iter(rows)
    while some := list(islice(left, size)):
        yield some


def _places(series: Sequence[Series], cells: Sequence[Cell]) -> Mapping[int, Sequence[tuple[int, int]]]:
    """By layout: which column of the table is which value of a row that was read from `cells`."""
    index = {cell: number for number, cell in enumerate(cells)}
    places: dict[int, list[tuple[int, int]]] = {}
    for place, one in enumerate(series):
        for layout_id, cell in one.cells.items():
            if cell in index:
                places.setdefault(layout_id, []).append((place, index[cell]))
    return places


def _title(series: Series) -> str:
    labels = ",".join(f"{key}={value}" for key, value in series.labels.items())
    return f"{series.selector.name}{f'{{{labels}}}' if labels else ''} [{series.selector.unit}]"


def _csv(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _texts(values: Sequence[float | None]) -> Iterator[str]:
    return ("" if value is None else repr(value) for value in values)


def _sayable(value: float | None) -> float | str | None:
    """The value as JSON can say it: it has no word for infinity."""
    return value if value is None or math.isfinite(value) else str(value)


def _line(content: object) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False) + "\n"
