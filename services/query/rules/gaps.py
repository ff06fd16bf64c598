"""Where a server has no samples, and why: what its agent told, and what is seen from the samples' times. Pure."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np

from flick.v1 import ingest_pb2
from services.query.rules.delivery import HOUR_US
from services.query.rules.fleet import LATE_AFTER_INTERVALS
from services.query.rules.plan import Span, Times

MAX_GAPS = 200  # the contract: so many are told, the longest
MAX_KEPT = 1000  # while looking; a server that loses every other minute would fill the memory in a year
_ENOUGH = 10  # distances of one hour that tell how far apart its samples usually are

Reason: TypeAlias = ingest_pb2.GapReason.ValueType


class Gap(NamedTuple):
    """A span without samples, in microseconds since the Unix epoch: from, included, to, not included; and why."""

    start_us: int
    end_us: int
    reason: Reason

    @property
    def length_us(self) -> int:
        """How long it is."""
        return self.end_us - self.start_us


class Holes:
    """Finds where samples are missing. It is given their times in parts, in order, no hour in two parts.

    How far apart samples usually are is found anew for each hour, since the metric interval may have been another then.

    Args:
        span: what is looked at; samples before it are not missed.
        interval_us: the metric interval, which counts where an hour has too few samples to tell.
    """

    def __init__(self, *, span: Span, interval_us: int) -> None:
        self._span = span
        self._interval_us = interval_us
        self._last_us: int | None = None
        self._usual_us = interval_us
        self._found: list[tuple[int, int]] = []  # a heap of length and begin: the shortest goes first
        self.left_out = False

    def add(self, times_us: Times) -> None:
        """Take the next times, ascending."""
        begins = np.flatnonzero(np.diff(times_us // HOUR_US, prepend=-1)).tolist()  # of hours
        for begin, end in pairwise([*begins, len(times_us)]):
            self._add_hour(times_us[begin:end])

    def end(self) -> list[Span]:
        """All holes in the order of time, also the one behind the last sample."""
        if self._last_us is None:
            self._note(self._span.start_us - self._interval_us, self._span.end_us, self._interval_us)
        else:
            self._note(self._last_us, self._span.end_us, self._usual_us)
        return sorted(
            (Span(start_us=begin, end_us=begin + length) for length, begin in self._found), key=lambda one: one.start_us
        )

    def _add_hour(self, times_us: Times) -> None:
        distances, first_us, last_us = np.diff(times_us), int(times_us[0]), int(times_us[-1])
        usual_us = self._interval_us
        if len(distances) >= _ENOUGH:
            usual_us = int(np.partition(distances, len(distances) // 2)[len(distances) // 2])
        if self._last_us is None:  # the first sample is due when the span begins
            self._note(self._span.start_us - usual_us, first_us, usual_us)
        else:  # a distance between two hours may be that of either
            self._note(self._last_us, first_us, max(usual_us, self._usual_us))
        for place in np.flatnonzero(distances > LATE_AFTER_INTERVALS * usual_us).tolist():
            self._note(int(times_us[place]), int(times_us[place + 1]), usual_us)
        self._last_us, self._usual_us = last_us, usual_us

    def _note(self, one_us: int, after_us: int, usual_us: int) -> None:
        """Keep what lies between two times, if it is a hole."""
        if after_us - one_us <= LATE_AFTER_INTERVALS * usual_us:
            return
        heapq.heappush(self._found, (after_us - one_us - usual_us, one_us + usual_us))
        if len(self._found) > MAX_KEPT:
            heapq.heappop(self._found)
            self.left_out = True


def find_holes(starts_us: Times, bucket_us: int, *, span: Span, interval_us: int) -> tuple[list[Span], bool]:
    """The longest holes in the order of time, seen from buckets of one length; and whether some were left out.

    A hole is where at least a bucket is missing, and no sample was measured for longer than three intervals.

    Args:
        starts_us: when those begin that have samples, ascending.
        bucket_us: how long they are.
        span: what is looked at.
        interval_us: the metric interval.
    """
    begins = np.append(span.start_us, starts_us + bucket_us)
    ends = np.append(starts_us, span.end_us)
    lengths = ends - begins
    places = np.flatnonzero(lengths >= max(bucket_us, LATE_AFTER_INTERVALS * interval_us))
    kept = np.sort(places[np.argsort(lengths[places], kind="stable")[-MAX_KEPT:]])
    holes = [Span(start_us=int(begins[one]), end_us=int(ends[one])) for one in kept]
    return holes, len(kept) < len(places)


def join_gaps(holes: Iterable[Span], told: Iterable[Gap], *, span: Span, interval_us: int) -> list[Gap]:
    """What is missing in the span, in the order of time, none over another: told gaps, and holes that nobody told.

    What is left of a hole beside a told gap is the distance of two samples, unless it is longer than three intervals.
    """
    known = _apart(_clipped(told, span))
    found = list(known)
    for hole in _clipped((Gap(one.start_us, one.end_us, ingest_pb2.GAP_REASON_UNSPECIFIED) for one in holes), span):
        rests = list(_without(hole, known))
        found += [one for one in rests if one == hole or one.length_us > LATE_AFTER_INTERVALS * interval_us]
    return sorted(found)


def longest(gaps: Sequence[Gap]) -> list[Gap]:
    """As many gaps as are told, the longest, in the order of time."""
    return sorted(heapq.nlargest(MAX_GAPS, gaps, key=lambda one: one.length_us))


def _clipped(gaps: Iterable[Gap], span: Span) -> list[Gap]:
    clipped = (Gap(max(one.start_us, span.start_us), min(one.end_us, span.end_us), one.reason) for one in gaps)
    return sorted(one for one in clipped if one.length_us > 0)


def _apart(gaps: Iterable[Gap]) -> list[Gap]:
    """The same without what lies over one that began before."""
    found: list[Gap] = []
    for one in gaps:
        begin_us = max(one.start_us, found[-1].end_us) if found else one.start_us
        if begin_us < one.end_us:
            found.append(one._replace(start_us=begin_us))
    return found


def _without(hole: Gap, known: Sequence[Gap]) -> Iterator[Gap]:
    begin_us = hole.start_us
    for one in known:
        if one.end_us <= begin_us or one.start_us >= hole.end_us:
            continue
        if one.start_us > begin_us:
            yield hole._replace(start_us=begin_us, end_us=one.start_us)
        begin_us = one.end_us
    if begin_us < hole.end_us:
        yield hole._replace(start_us=begin_us)
