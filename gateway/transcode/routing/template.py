"""Path templates of google.api.http, parsed into segments, variables and a verb.

    Template = "/" Segments [ ":" Verb ]        Segments = Segment { "/" Segment }
    Segment  = "*" | "**" | LITERAL | "{" FieldPath [ "=" Segments ] "}"

Grammar: google/api/http.proto, read as grpc-gateway v2 reads it: one `**` at most, anywhere; a verb may hold colons.
"""

import re
from dataclasses import dataclass
from enum import Enum

_LITERAL = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Wildcard(Enum):
    """What a segment without fixed text consumes."""

    ONE = "*"
    MANY = "**"


Segment = str | Wildcard


class TemplateError(ValueError):
    """A template breaks the grammar at `position` (counted from 0)."""

    def __init__(self, template: str, position: int, reason: str) -> None:
        super().__init__(f"path template {template!r}, character {position + 1}: {reason}")
        self.template = template
        self.position = position
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Variable:
    """A field path bound to the segments `start` (included) to `stop` (excluded)."""

    path: tuple[str, ...]
    start: int
    stop: int

    @property
    def name(self) -> str:
        """The field path as written, with dots."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template. `verb` is empty when there is none; `deep` is the index of `**`, or None."""

    text: str
    segments: tuple[Segment, ...]
    variables: tuple[Variable, ...]
    verb: str

    @property
    def deep(self) -> int | None:
        """Where `**` stands among the segments."""
        return self.segments.index(Wildcard.MANY) if Wildcard.MANY in self.segments else None

    @property
    def shape(self) -> tuple[tuple[Segment, ...], str]:
        """What decides which paths match: two templates of one shape match the same paths."""
        return self.segments, self.verb

    def __str__(self) -> str:
        """The canonical spelling: `{name=*}` in full, the verb last."""
        words = [segment if isinstance(segment, str) else segment.value for segment in self.segments]
        for variable in reversed(self.variables):
            bound = "/".join(words[variable.start : variable.stop])
            words[variable.start : variable.stop] = [f"{{{variable.name}={bound}}}"]
        return "/" + "/".join(words) + (f":{self.verb}" if self.verb else "")


def parse_template(text: str) -> Template:
    """Parse `text`; raises TemplateError naming the place and the reason."""
    if not text.startswith("/"):
        raise TemplateError(text, 0, "a template begins with '/'")
    if text == "//":  # grpc-gateway reads this one spelling as `/*`
        return Template(text, (Wildcard.ONE,), (), "")
    end, verb = _split_verb(text)
    if end == 1:
        return Template(text, ("",), (), verb)
    parser = _Parser(text)
    parser.segments_between(1, end, inside=False)
    return Template(text, tuple(parser.segments), tuple(parser.variables), verb)


def _split_verb(text: str) -> tuple[int, str]:
    """Where the segments end, and the verb behind them."""
    last = text.rfind("/", 0, _last_segment_limit(text)) + 1
    if text.startswith("{", last):
        close = text.find("}", last)
        colon = close + 1 if close >= 0 and text.startswith(":", close + 1) else -1
    else:
        colon = text.rfind(":", last)
    if colon < 0:
        return len(text), ""
    verb = text[colon + 1 :]
    valid = _LITERAL.match(verb)
    if valid is None or valid.end() != len(verb):
        raise TemplateError(text, colon + 1, f"{verb!r} is no verb: letters, digits and -._~ are")
    return colon, verb


def _last_segment_limit(text: str) -> int:
    """Slashes inside the last variable separate its own segments only."""
    opened = text.rfind("{")
    if opened < 0:
        return len(text)
    closed = text.find("}", opened)
    return opened if closed < 0 or "/" not in text[closed:] else len(text)


class _Parser:
    """Collects segments and variables of one template."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.segments: list[Segment] = []
        self.variables: list[Variable] = []

    def segments_between(self, start: int, end: int, *, inside: bool) -> None:
        """Read `segment/segment…` of text[start:end]; `inside` a variable no other variable may stand."""
        position = start
        while True:
            position = self._segment(position, end, inside=inside)
            if position >= end:
                return
            if self.text[position] != "/":
                self._fail(position, "expected '/' between segments")
            position += 1

    def _segment(self, start: int, end: int, *, inside: bool) -> int:
        """Read one segment and return the position behind it."""
        if self.text.startswith("{", start):
            if inside:
                self._fail(start, "a variable cannot stand inside another")
            return self._variable(start, end)
        stop = self.text.find("/", start, end)
        stop = end if stop < 0 else stop
        self._plain(start, stop)
        return stop

    def _plain(self, start: int, stop: int) -> None:
        word = self.text[start:stop]
        if not word:
            self._fail(start, "a segment is empty")
        if word == "*":
            self.segments.append(Wildcard.ONE)
            return
        if word == "**":
            if Wildcard.MANY in self.segments:
                self._fail(start, "'**' may stand only once")
            self.segments.append(Wildcard.MANY)
            return
        valid = _LITERAL.match(word)
        length = valid.end() if valid else 0
        if length != len(word):
            self._fail(start + length, f"{word[length]!r} cannot stand in a literal, escape it as %XX")
        self.segments.append(word)

    def _variable(self, start: int, end: int) -> int:
        close = self.text.find("}", start, end)
        if close < 0:
            self._fail(start, "the variable is not closed with '}'")
        equals = self.text.find("=", start, close)
        name_end = close if equals < 0 else equals
        path = self._field_path(start + 1, name_end)
        first = len(self.segments)
        if equals < 0:
            self.segments.append(Wildcard.ONE)
        else:
            self.segments_between(equals + 1, close, inside=True)
        if any(known.path == path for known in self.variables):
            self._fail(start, f"the variable {'.'.join(path)!r} stands twice")
        self.variables.append(Variable(path, first, len(self.segments)))
        return close + 1

    def _field_path(self, start: int, end: int) -> tuple[str, ...]:
        position = start
        names = self.text[start:end].split(".")
        for name in names:
            valid = _IDENTIFIER.match(name)
            length = valid.end() if valid else 0
            if not name or length != len(name):
                self._fail(position + length, f"{name!r} is no field name: letters, digits and '_' are")
            position += len(name) + 1
        return tuple(names)

    def _fail(self, position: int, reason: str) -> None:
        raise TemplateError(self.text, position, reason)
