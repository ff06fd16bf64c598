"""Finds the route of a request: a tree of segments per HTTP method and verb, walked in order of specificity.

Order, independent of registration: a route with a verb before one without; then from left to right a literal before
`*` before `**`; of several `**` the one with the longer fixed tail. Pure: knows nothing of HTTP servers or messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.transcode.profile import Profile
from gateway.transcode.routing.escape import PathSplitter, Unescape, as_text, unescaper
from gateway.transcode.routing.match import DuplicateRouteError, Match, absence, rooted
from gateway.transcode.routing.template import Segment, Template, Wildcard

Target = TypeVar("Target")


@dataclass(frozen=True, slots=True)
class _Span:
    """What a variable captures: segments of its template, and how those beside `**` and those of `**` are decoded."""

    start: int
    stop: int
    one: Unescape
    many: Unescape


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Target]):
    """A route at the end of its way through the tree."""

    template: Template
    target: Target
    deep: int
    spans: tuple[_Span, ...]
    binds_deep_alone: bool

    def values(self, parts: Sequence[str]) -> tuple[str, ...]:
        """The variables' decoded text; raises EscapeError when it is no text."""
        if not self.spans:
            return ()
        shift = len(parts) - len(self.template.segments)
        return tuple(as_text(self._captured(span, parts, shift)) for span in self.spans)

    def _captured(self, span: _Span, parts: Sequence[str], shift: int) -> str:
        start, stop = _moved(span.start, self.deep, shift), _moved(span.stop, self.deep, shift)
        if stop - start == 1:
            decode = span.many if self.deep <= start <= self.deep + shift else span.one
            captured = decode(parts[start])
        else:
            deep = range(self.deep, self.deep + shift + 1)
            captured = "/".join(
                (span.many if index in deep else span.one)(parts[index]) for index in range(start, stop)
            )
        return captured + "/" if self._ends_in_nothing(span, shift) else captured

    def _ends_in_nothing(self, span: _Span, shift: int) -> bool:
        """`{name=o/**}` on `/o` captures `o/`: the deep wildcard took no segment, its slash stays."""
        return shift == -1 and span.stop == self.deep + 1 and span.start < self.deep


def _moved(index: int, deep: int, shift: int) -> int:
    """Segments behind `**` are counted from the right."""
    return index if index <= deep else index + shift


@dataclass(slots=True)
class _Node(Generic[Target]):
    literals: dict[str, "_Node[Target]"] = field(default_factory=dict)
    star: "_Node[Target] | None" = None
    entry: _Entry[Target] | None = None
    deep: list[tuple[tuple[Segment, ...], _Entry[Target]]] = field(default_factory=list)


class MostSpecific(Generic[Target]):
    """Compiled routes in a tree. Two that match the same requests are refused."""

    def __init__(self, *, profile: Profile) -> None:
        self._profile = profile
        self._split = PathSplitter(profile)
        self._allow_empty = profile.empty_segments_match
        self._trees: dict[str, dict[str, _Node[Target]]] = {}

    def add(self, http_method: str, template: Template, target: Target) -> None:
        """Add a route; raises DuplicateRouteError when one of the same shape and method exists."""
        node = self._trees.setdefault(http_method, {}).setdefault(template.verb, _Node())
        for index, segment in enumerate(template.segments):
            if segment is Wildcard.MANY:
                self._add_deep(node, template.segments[index + 1 :], self._entry(template, target))
                return
            if isinstance(segment, str):
                node = node.literals.setdefault(segment, _Node())
            else:
                node.star = node.star or _Node()
                node = node.star
        if node.entry is not None:
            raise DuplicateRouteError(f"{template} matches the same paths as {node.entry.template}")
        node.entry = self._entry(template, target)

    def _add_deep(self, node: _Node[Target], tail: tuple[Segment, ...], entry: _Entry[Target]) -> None:
        for known, other in node.deep:
            if known == tail:
                raise DuplicateRouteError(f"{entry.template} matches the same paths as {other.template}")
        node.deep.append((tail, entry))
        node.deep.sort(key=lambda item: (-len(item[0]), [not isinstance(segment, str) for segment in item[0]]))

    def match(self, http_method: str, raw_path: bytes) -> Match[Target]:
        """Find the route of an undecoded path (no query).

        Raises BadPathError, NoRouteError, WrongMethodError, or EscapeError for a broken escape.
        """
        parts = self._split(rooted(raw_path))
        found = self._search(http_method, parts)
        if found is not None:
            entry, fitted = found
            return Match(entry.target, entry.values(fitted))
        raise absence(self._trees, lambda method: self._search(method, parts) is not None)

    def _search(self, http_method: str, parts: list[str]) -> tuple[_Entry[Target], list[str]] | None:
        trees = self._trees.get(http_method, {})
        last = parts[-1]
        if ":" in last:
            for verb in sorted((verb for verb in trees if verb and last.endswith(":" + verb)), key=len, reverse=True):
                if last == ":" + verb and not self._has_literal_end(trees[verb]):
                    return None  # a verb needs something to act on; nor is it another route's variable
                fitted = [*parts[:-1], last[: -len(verb) - 1]]
                entry = self._walk(trees[verb], fitted, 0)
                if entry is not None:
                    return entry, fitted
        plain = trees.get("")
        entry = self._walk(plain, parts, 0) if plain is not None else None
        return None if entry is None else (entry, parts)

    @staticmethod
    def _has_literal_end(tree: _Node[Target]) -> bool:
        """Whether the root template carries this verb (`/:verb`)."""
        return "" in tree.literals

    def _walk(self, node: _Node[Target], parts: Sequence[str], index: int) -> _Entry[Target] | None:
        if index == len(parts):
            if node.entry is not None:
                return node.entry
        else:
            part = parts[index]
            child = node.literals.get(part)
            found = self._walk(child, parts, index + 1) if child is not None else None
            if found is None and node.star is not None and (part or self._allow_empty):
                found = self._walk(node.star, parts, index + 1)
            if found is not None:
                return found
        return self._walk_deep(node, parts, index) if node.deep else None

    def _walk_deep(self, node: _Node[Target], parts: Sequence[str], index: int) -> _Entry[Target] | None:
        for tail, entry in node.deep:
            stop = len(parts) - len(tail)
            if stop < index or not self._fits(tail, parts[stop:]):
                continue
            if entry.binds_deep_alone and not self._allow_empty and not any(parts[index:stop]):
                continue
            return entry
        return None

    def _fits(self, tail: Sequence[Segment], parts: Sequence[str]) -> bool:
        return all(
            segment == part if isinstance(segment, str) else bool(part) or self._allow_empty
            for segment, part in zip(tail, parts, strict=True)
        )

    def _entry(self, template: Template, target: Target) -> _Entry[Target]:
        deep = template.deep
        where = len(template.segments) if deep is None else deep
        spans = tuple(self._span(template, variable.start, variable.stop) for variable in template.variables)
        alone = deep is not None and any((span.start, span.stop) == (deep, deep + 1) for span in spans)
        return _Entry(template, target, where, spans, alone)

    def _span(self, template: Template, start: int, stop: int) -> _Span:
        """One segment is decoded in full; in several an escaped slash must stay distinct from a real one."""
        one = unescaper(self._profile.decoding, many=False)
        many = unescaper(self._profile.decoding, many=True)
        single = stop - start == 1 and template.segments[start] is not Wildcard.MANY
        return _Span(start, stop, one if single or self._profile.decodes_wildcards_alone else many, many)
