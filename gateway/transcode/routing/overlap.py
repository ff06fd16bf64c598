"""Pairs of routes that a single path can match both of, for a report: the router decides between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

from gateway.transcode.routing.match import Router
from gateway.transcode.routing.rules import Binding
from gateway.transcode.routing.template import Segment, Template, Wildcard

_ANY_WORD = "x"


@dataclass(frozen=True, slots=True)
class Overlap:
    """`path` matches both routes, and `winner` gets it."""

    winner: Binding
    loser: Binding
    path: str

    def __str__(self) -> str:
        return f"{self.winner} wins over {self.loser}, as for {self.path}"


def find_overlaps(bindings: Sequence[Binding], router: Router[Binding]) -> tuple[Overlap, ...]:
    """Every pair of one HTTP method that shares a path; `router` holds the same bindings and says who wins."""
    found: list[Overlap] = []
    for one, other in combinations(bindings, 2):
        path = shared_path(one.template, other.template) if one.http_method == other.http_method else None
        if path is None:
            continue
        winner = router.match(one.http_method, path.encode("ascii")).target
        if winner in (one, other):  # else a third route takes this path from both
            found.append(Overlap(winner, other if winner is one else one, path))
    return tuple(found)


def shared_path(one: Template, other: Template) -> str | None:
    """A path that both templates match, or None."""
    if one.verb == other.verb:
        words = _shared_words(one.segments, other.segments)
        verb = one.verb
    elif one.verb and other.verb:
        return None
    else:
        with_verb, plain = (one, other) if one.verb else (other, one)
        verb = with_verb.verb
        cut = _without_verb(plain.segments, verb)
        words = None if cut is None else _shared_words(with_verb.segments, cut)
    if words is None:
        return None
    return "/" + "/".join(words) + (f":{verb}" if verb else "")


def _without_verb(segments: tuple[Segment, ...], verb: str) -> tuple[Segment, ...] | None:
    """The segments of a template without a verb whose last part may hold `:verb` as ordinary text."""
    last = segments[-1]
    if isinstance(last, Wildcard):
        return segments
    return (*segments[:-1], last.removesuffix(f":{verb}")) if last.endswith(f":{verb}") else None


def _shared_words(one: tuple[Segment, ...], other: tuple[Segment, ...]) -> tuple[str, ...] | None:
    """Words that both rows of segments match: a walk over both at once, in which `**` takes any number."""

    @cache
    def walk(i: int, j: int) -> tuple[str, ...] | None:
        if i == len(one) and j == len(other):
            return ()
        for next_i, next_j in _skips(one, i, other, j):
            rest = walk(next_i, next_j)
            if rest is not None:
                return rest
        if i == len(one) or j == len(other):
            return None
        word = _shared_word(one[i], other[j])
        moved_i, moved_j = i + (one[i] is not Wildcard.MANY), j + (other[j] is not Wildcard.MANY)
        if word is None or (moved_i, moved_j) == (i, j):
            return None
        rest = walk(moved_i, moved_j)
        return None if rest is None else (word, *rest)

    return walk(0, 0)


def _skips(one: tuple[Segment, ...], i: int, other: tuple[Segment, ...], j: int) -> list[tuple[int, int]]:
    """Where the walk goes when a `**` takes no further word."""
    skips = [(i + 1, j)] if i < len(one) and one[i] is Wildcard.MANY else []
    return [*skips, (i, j + 1)] if j < len(other) and other[j] is Wildcard.MANY else skips


def _shared_word(one: Segment, other: Segment) -> str | None:
    if isinstance(one, str) and isinstance(other, str):
        return one if one == other else None
    literal = one if isinstance(one, str) else other
    if not isinstance(literal, str):
        return _ANY_WORD
    return literal if literal or Wildcard.MANY in (one, other) else None
