"""Prometheus's text format, version 0.0.4, and what of OpenMetrics is the same: names, labels, values. Pure.

Own code, since the agent has no memory to spare for a library of which it would need only this. What comes out is
flat: values with their labels, each a gauge or a counter. A histogram becomes its sum and its count, without buckets; a
summary its quantiles, sum and count. Source: "Exposition formats" in Prometheus's documentation, and the OpenMetrics
specification 1.0. In a text that ends with `# EOF`, which is OpenMetrics, timestamps are seconds, else milliseconds.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from flick.custom_metrics import (
    MAX_LABELS,
    description_of,
    label_key_fault,
    labels_fault,
    name_fault,
    shown,
    ucum,
    unit_of,
)

_TYPES = frozenset(
    {"counter", "gauge", "histogram", "summary", "untyped", "unknown", "info", "stateset", "gaugehistogram"}
)
_SAMPLE = re.compile(
    r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:[ \t]*\{(.*)\}[ \t]*|[ \t]+)([^ \t{}]+)(?:[ \t]+([^ \t{}]+))?", re.DOTALL
)
_LABEL = re.compile(r'[ \t]*([^ \t=,"{}]+)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(,|$)')
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SPECIAL = {"nan": math.nan, "inf": math.inf, "+inf": math.inf, "-inf": -math.inf}
_ESCAPES = {"\\\\": "\\", "\\n": "\n", '\\"': '"'}
_ESCAPED = re.compile(r"\\.")
_COUNTED = ("_sum", "_count")
_LEFT_OUT = ("_bucket", "_created")
_MAX_MS = 253_402_300_800_000  # the year 10000


class Value(NamedTuple):
    """A value.

    Attributes:
        line: where it stands, counted from 1.
        name, labels: its series; labels in the order of their keys, none empty.
        value: may be NaN or infinite.
        time_ms: milliseconds since the Unix epoch; None: it tells no time.
        is_counter: whether it counts and never falls, but for a reset.
        unit: in UCUM; empty: not known.
        description: what the metric tells.
    """

    line: int
    name: str
    labels: tuple[tuple[str, str], ...]
    value: float
    time_ms: int | None
    is_counter: bool
    unit: str
    description: str


class Fault(NamedTuple):
    """A line that can't be taken, counted from 1, and why."""

    line: int
    text: str


@dataclass(slots=True)
class Exposition:
    """What a text holds."""

    values: list[Value] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


class _FaultError(Exception):
    pass


@dataclass(slots=True)
class _Family:
    """What comments tell of a metric."""

    kind: str = ""
    description: str = ""
    unit: str = ""


def parse(text: str) -> Exposition:
    """The values of a text. A line that is wrong is a fault; the others count all the same."""
    lines = text.split("\n")
    reader = _Reader(seconds=any(line.rstrip("\r") == "# EOF" for line in lines))
    found = Exposition()
    for number, raw in enumerate(lines, start=1):
        line = raw.rstrip("\r").strip(" \t")
        try:
            if line.startswith("#"):
                reader.comment(line)
            elif line:
                found.values += reader.sample(number, line)
        except _FaultError as fault:
            found.faults.append(Fault(number, str(fault)))
    return found


class _Reader:
    """Reads line by line, and remembers what comments told."""

    def __init__(self, *, seconds: bool) -> None:
        self._seconds = seconds
        self._families: dict[str, _Family] = {}
        self._seen: set[tuple[str, tuple[tuple[str, str], ...], int | None]] = set()

    def comment(self, line: str) -> None:
        """Take what a comment tells of a metric; any other is passed over."""
        words = line.split(None, 3)
        if len(words) < 3 or words[0] != "#" or words[1] not in ("HELP", "TYPE", "UNIT"):
            return
        family = self._families.setdefault(words[2], _Family())
        told = words[3] if len(words) == 4 else ""
        if words[1] == "HELP":
            family.description = description_of(_unescaped(told))
        elif words[1] == "UNIT":
            family.unit = told
        elif told not in _TYPES:
            raise _FaultError(f"{shown(told)} is no type; write one of {', '.join(sorted(_TYPES))}.")
        else:
            family.kind = told

    def sample(self, number: int, line: str) -> Iterator[Value]:
        """The value of a line; none when it is part of what is left out."""
        match = _SAMPLE.fullmatch(line)
        if match is None:
            raise _FaultError(f'{shown(line)} can\'t be read; write name{{label="value"}} and a number.')
        name, packed, number_text, time_text = match.groups()
        labels = _labels(packed or "")
        value = _number(number_text)
        time_ms = None if time_text is None else self._time_ms(time_text)
        if fault := name_fault(name) or labels_fault(dict(labels)):
            raise _FaultError(f"{shown(name)} {fault}")
        key = (name, labels, time_ms)
        if key in self._seen:
            raise _FaultError(f"{shown(name)} comes twice with the same labels.")
        self._seen.add(key)
        family_name, family = self._family(name)
        if family.kind in ("histogram", "gaugehistogram", "summary", "counter") and name in (
            f"{family_name}{ending}" for ending in _LEFT_OUT
        ):
            return
        yield Value(
            line=number,
            name=name,
            labels=labels,
            value=value,
            time_ms=time_ms,
            is_counter=_is_counter(name, family_name, family),
            unit=_unit(name, family_name, family),
            description=family.description,
        )

    def _family(self, name: str) -> tuple[str, _Family]:
        """The metric that a name belongs to: by itself, or by what a histogram, summary or counter adds to its own."""
        if name in self._families:
            return name, self._families[name]
        for ending in (*_COUNTED, *_LEFT_OUT, "_total", "_gsum", "_gcount", "_info"):
            base = name.removesuffix(ending)
            if base != name and base in self._families:
                return base, self._families[base]
        return name, _Family()

    def _time_ms(self, text: str) -> int:
        number = _number(text)
        if not math.isfinite(number):
            raise _FaultError(f"{shown(text)} is no time.")
        time_ms = round(number * 1000) if self._seconds else int(number)
        if not 0 <= time_ms < _MAX_MS or (not self._seconds and time_ms != number):
            unit = "seconds" if self._seconds else "whole milliseconds"
            raise _FaultError(f"{shown(text)} is no time; write {unit} since 1970.")
        return time_ms


def _is_counter(name: str, family_name: str, family: _Family) -> bool:
    match family.kind:
        case "counter":
            return True
        case "histogram" | "summary":
            return name != family_name
        case "" | "untyped" | "unknown":
            return name.endswith("_total")
    return False


def _unit(name: str, family_name: str, family: _Family) -> str:
    if name != family_name and name.endswith(("_count", "_gcount", "_info")):
        return ""
    return ucum(family.unit) if family.unit else unit_of(name if name == family_name else family_name)


def _labels(packed: str) -> tuple[tuple[str, str], ...]:
    labels: dict[str, str] = {}
    place, end = 0, len(packed.rstrip(" \t"))
    while place < end:
        if len(labels) == MAX_LABELS:
            raise _FaultError(f"has more than {MAX_LABELS} labels.")
        match = _LABEL.match(packed, place)
        if match is None:
            raise _FaultError(f'labels {shown(packed)} can\'t be read; write key="value", with commas between.')
        key, value, _ = match.groups()
        if fault := label_key_fault(key):
            raise _FaultError(fault)
        if key in labels:
            raise _FaultError(f"label {shown(key)} comes twice.")
        labels[key] = _unescaped(value)
        place = match.end()
    return tuple(sorted((key, value) for key, value in labels.items() if value))


def _number(text: str) -> float:
    special = _SPECIAL.get(text.lower())
    if special is not None:
        return special
    if not _NUMBER.fullmatch(text):
        raise _FaultError(f"{shown(text)} is no number.")
    return float(text)


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: _ESCAPES.get(match[0], match[0]), text)
