"""Filters as people write them, into trees: the part of AIP-160 that FLick's lists know. Pure.

    expression = factor {"AND" factor}
    factor     = term {"OR" term}            OR binds tighter than AND, as AIP-160 has it
    term       = ["NOT"] ("(" expression ")" | comparison)
    comparison = field ("=" | "!=" | ":" | "<" | "<=" | ">" | ">=") value

A value is a word or a quoted string; `*` at its beginning or end stands for anything. Within quotes a backslash makes
the next sign an ordinary one. Whatever is wrong is told with its position, counted from 1.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from flick.errors import FlickError, invalid

MAX_LENGTH = 2000
MAX_DEPTH = 16
MAX_COMPARISONS = 50

_BLANKS = re.compile(r"\s*")
_WORD = re.compile(r"[^\s()\"'=!:<>]+")
_VALUE_WORD = re.compile(r"[^\s()\"']+")  # after an operator, so that tags and times may have colons
_OPERATOR = re.compile(r"<=|>=|!=|=|<|>|:")
_KEYWORDS = frozenset({"AND", "OR", "NOT"})


@dataclass(frozen=True, kw_only=True)
class Value:
    """What a field is compared with. `open_start` and `open_end`: whether anything may stand before and after."""

    text: str
    open_start: bool = False
    open_end: bool = False
    position: int

    @property
    def is_anything(self) -> bool:
        """Whether it is nothing but `*`."""
        return not self.text and (self.open_start or self.open_end)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A field compared with a value."""

    field: str
    operator: str
    value: Value
    position: int


@dataclass(frozen=True)
class Not:
    """What does not hold."""

    part: "Node"


@dataclass(frozen=True)
class All:
    """What holds together."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Some:
    """Of which one holds at least."""

    parts: tuple["Node", ...]


Node: TypeAlias = Comparison | Not | All | Some


def parse(text: str) -> Node | None:
    """The tree of a filter; None for a blank one. Raises INVALID_ARGUMENT for `filter`, saying where and what."""
    if len(text) > MAX_LENGTH:
        raise invalid("filter", f"has {len(text)} characters; give at most {MAX_LENGTH}.")
    if not text.strip():
        return None
    return _Parser(text).whole()


def fault(position: int, what: str) -> FlickError:
    """INVALID_ARGUMENT for what is wrong at a position."""
    return invalid("filter", f"at character {position}: {what}")


class _Parser:
    """One pass over one filter."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._comparisons = 0

    def whole(self) -> Node:
        node = self._expression()
        if not self._ended():
            raise self._expected("AND, OR or the end")
        return node

    def _expression(self) -> Node:
        parts = self._joined("AND", self._factor)
        return parts[0] if len(parts) == 1 else All(parts)

    def _factor(self) -> Node:
        parts = self._joined("OR", self._term)
        return parts[0] if len(parts) == 1 else Some(parts)

    def _joined(self, keyword: str, read: Callable[[], Node]) -> tuple[Node, ...]:
        parts = [read()]
        while self._take_keyword(keyword):
            parts.append(read())
        return tuple(parts)

    def _term(self) -> Node:
        return Not(self._simple()) if self._take_keyword("NOT") else self._simple()

    def _simple(self) -> Node:
        if not self._take("("):
            return self._comparison()
        with self._deeper():
            node = self._expression()
        if not self._take(")"):
            raise self._expected("AND, OR or )")
        return node

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise fault(self._at, f"parentheses are nested deeper than {MAX_DEPTH}.")
        yield
        self._depth -= 1

    def _comparison(self) -> Comparison:
        self._skip_blanks()
        position = self._at + 1
        self._comparisons += 1
        if self._comparisons > MAX_COMPARISONS:
            raise fault(position, f"there are more than {MAX_COMPARISONS} comparisons.")
        name = _WORD.match(self._text, self._at)
        if name is None or name.group() in _KEYWORDS:
            raise self._expected("a field")
        self._at = name.end()
        self._skip_blanks()
        operator = _OPERATOR.match(self._text, self._at)
        if operator is None:
            raise self._expected(f"an operator (= != : < <= > >=) after {name.group()!r}")
        self._at = operator.end()
        return Comparison(field=name.group(), operator=operator.group(), value=self._value(), position=position)

    def _value(self) -> Value:
        self._skip_blanks()
        position = self._at + 1
        if self._text[self._at : self._at + 1] in ('"', "'") and not self._ended():
            signs = self._quoted()
        else:
            word = _VALUE_WORD.match(self._text, self._at)
            if word is None:
                raise self._expected("a value")
            self._at = word.end()
            signs = [(sign, sign == "*") for sign in word.group()]
        return _value_of(signs, position)

    def _quoted(self) -> list[tuple[str, bool]]:
        """The signs between quotes, each with whether it is a wildcard."""
        start, quote = self._at, self._text[self._at]
        signs: list[tuple[str, bool]] = []
        self._at += 1
        while self._at < len(self._text):
            sign = self._text[self._at]
            self._at += 1
            if sign == quote:
                return signs
            if sign == "\\" and self._at < len(self._text):
                signs.append((self._text[self._at], False))
                self._at += 1
            else:
                signs.append((sign, sign == "*"))
        raise fault(start + 1, f"the string has no closing {quote}.")

    def _take(self, sign: str) -> bool:
        self._skip_blanks()
        found = self._text.startswith(sign, self._at)
        self._at += len(sign) if found else 0
        return found

    def _take_keyword(self, keyword: str) -> bool:
        self._skip_blanks()
        word = _WORD.match(self._text, self._at)
        if word is None or word.group() != keyword:
            return False
        self._at = word.end()
        return True

    def _skip_blanks(self) -> None:
        blanks = _BLANKS.match(self._text, self._at)
        self._at = blanks.end() if blanks else self._at

    def _ended(self) -> bool:
        self._skip_blanks()
        return self._at == len(self._text)

    def _expected(self, what: str) -> FlickError:
        if self._ended():
            return fault(self._at + 1, f"the filter ends; {what} must follow.")
        word = _VALUE_WORD.match(self._text, self._at)
        found = word.group()[:30] if word else self._text[self._at]
        return fault(self._at + 1, f"expected {what}, not {found!r}.")


def _value_of(signs: list[tuple[str, bool]], position: int) -> Value:
    open_start = bool(signs) and signs[0][1]
    open_end = len(signs) > 1 and signs[-1][1]
    inner = signs[1 if open_start else 0 : len(signs) - 1 if open_end else len(signs)]
    if any(wild for _, wild in inner):
        raise fault(position, 'a * may stand at the beginning and the end only; an ordinary one is written "\\*".')
    text = unicodedata.normalize("NFC", "".join(sign for sign, _ in inner))
    if any(unicodedata.category(sign) == "Cc" for sign in text):
        raise fault(position, "the value has control characters; leave them out.")
    return Value(text=text, open_start=open_start, open_end=open_end, position=position)
