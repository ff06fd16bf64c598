"""Finds the route of a request as grpc-gateway does: one template after the other, the last added first.

Pure: knows nothing of HTTP servers or messages. Source: ServeMux.ServeHTTP and Pattern.MatchAndEscape.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.transcode.profile import Profile
from gateway.transcode.routing.escape import PathSplitter, Unescape, as_text, unescaper
from gateway.transcode.routing.match import Match, NoRouteError, absence, rooted
from gateway.transcode.routing.template import Template, Wildcard

Target = TypeVar("Target")


@dataclass(frozen=True, slots=True)
class _Row(Generic[Target]):
    template: Template
    target: Target
    tail: int
    """How many segments stand behind `**`."""


class NewestFirst(Generic[Target]):
    """Rows of templates. Two that match the same requests are no fault here: the last wins."""

    def __init__(self, *, profile: Profile) -> None:
        self._split = PathSplitter(profile)
        self._one: Unescape = unescaper(profile.decoding, many=False)
        self._many: Unescape = unescaper(profile.decoding, many=True)
        self._rows: dict[str, list[_Row[Target]]] = {}

    def add(self, http_method: str, template: Template, target: Target) -> None:
        """Add a route, which goes before all that are there."""
        deep = template.deep
        tail = 0 if deep is None else len(template.segments) - deep - 1
        self._rows.setdefault(http_method, []).insert(0, _Row(template, target, tail))

    def match(self, http_method: str, raw_path: bytes) -> Match[Target]:
        """Find the route of an undecoded path (no query).

        Raises BadPathError, NoRouteError, WrongMethodError, or EscapeError for a broken escape.
        """
        parts = self._split(rooted(raw_path))
        for row in self._rows.get(http_method, ()):
            verb = row.template.verb
            if verb and parts[-1] == f":{verb}":
                raise NoRouteError  # a verb needs something to act on, whatever other routes could make of it
            values = self._values(row, parts)
            if values is not None:
                return Match(row.target, tuple(map(as_text, values)))
        raise absence(
            (method for method in self._rows if method != http_method), lambda method: self._exists(method, parts)
        )

    def _exists(self, http_method: str, parts: list[str]) -> bool:
        return any(self._values(row, parts) is not None for row in self._rows[http_method])

    def _values(self, row: _Row[Target], parts: list[str]) -> list[str] | None:
        """What the variables capture, or None; a broken escape counts as soon as a wildcard meets it."""
        verb = row.template.verb
        if verb:
            if not parts[-1].endswith(f":{verb}") or len(parts[-1]) == len(verb) + 1:
                return None
            parts = [*parts[:-1], parts[-1][: -len(verb) - 1]]
        pieces = self._pieces(row, parts)
        if pieces is None:
            return None
        return ["/".join(pieces[variable.start : variable.stop]) for variable in row.template.variables]

    def _pieces(self, row: _Row[Target], parts: Sequence[str]) -> list[str] | None:
        """The text that each segment consumes, or None when they do not fit."""
        pieces: list[str] = []
        position = 0
        for segment in row.template.segments:
            if segment is Wildcard.MANY:
                end = len(parts) - row.tail
                if end < position:
                    return None
                pieces.append(self._many("/".join(parts[position:end])))
                position = end
                continue
            if position >= len(parts) or (isinstance(segment, str) and segment != parts[position]):
                return None
            pieces.append(segment if isinstance(segment, str) else self._one(parts[position]))
            position += 1
        return pieces if position == len(parts) else None
