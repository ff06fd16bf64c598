"""As much of PromQL as tells which metrics and labels an expression asks for, and whether its brackets close.

Sources: Prometheus' documentation of its query language, "Basics", "Operators" and "Functions".
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_FUNCTIONS = {"rate", "increase", "histogram_quantile", "sum", "min", "max", "avg", "count"}
_GROUPING = {"by", "without"}
_TOKEN = re.compile(
    r"""(?P<blank>\s+) | (?P<text>"(?:[^"\\]|\\.)*") | (?P<duration>\[[^]]*\]) | (?P<number>\d+(?:\.\d+)?)
    | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*) | (?P<operator>=~|!~|!=|>=|<=|==|[-+*/=<>,]) | (?P<bracket>[(){}])""",
    re.VERBOSE,
)
_DURATION = re.compile(r"\[(?:\$__rate_interval|\d+[smhd])\]")
_PAIRS = {")": "(", "}": "{"}


class PromqlError(ValueError):
    """The expression is none; the text says where."""


@dataclass
class Asked:
    """The metrics that an expression asks for; the labels that it matches each by, or groups by."""

    metrics: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)


def read(expression: str) -> Asked:
    """What an expression asks for. Raises PromqlError."""
    asked, open_brackets, grouping = Asked(), list[str](), False
    tokens = [token for token in _tokens(expression) if token[0] != "blank"]
    for (kind, text), (_, following), (_, after) in itertools.zip_longest(
        tokens, tokens[1:], tokens[2:], fillvalue=("end", "")
    ):
        if kind == "bracket":
            grouping = grouping and text == "("
            _nest(open_brackets, text, expression)
        elif kind == "duration" and not _DURATION.fullmatch(text):
            raise PromqlError(f"{text} is no duration in {expression}")
        elif kind == "name" and (grouping or open_brackets[-1:] == ["{"]):
            if text == "__name__":
                asked.metrics |= _alternatives(after)
            else:
                asked.labels.add(text)
        elif kind == "name" and text in _GROUPING:
            grouping = True
        elif kind == "name" and text not in _FUNCTIONS:
            asked.metrics.add(text)
        elif kind == "name" and following not in {"(", *_GROUPING}:
            raise PromqlError(f"{text} is called without arguments in {expression}")
    if open_brackets:
        raise PromqlError(f"{open_brackets[-1]} is not closed in {expression}")
    return asked


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(expression):
        found = _TOKEN.match(expression, place)
        if found is None or found.lastgroup is None:
            raise PromqlError(f"{expression[place:]!r} is not understood in {expression}")
        yield found.lastgroup, found.group()
        place = found.end()


def _nest(open_brackets: list[str], bracket: str, expression: str) -> None:
    if bracket not in _PAIRS:
        open_brackets.append(bracket)
    elif not open_brackets or open_brackets.pop() != _PAIRS[bracket]:
        raise PromqlError(f"{bracket} closes nothing in {expression}")


def _alternatives(pattern: str) -> set[str]:
    """What `"head(one|two)tail"` stands for."""
    head, _, rest = pattern.strip('"').partition("(")
    middle, _, tail = rest.partition(")")
    return {f"{head}{one}{tail}" for one in middle.split("|")}
