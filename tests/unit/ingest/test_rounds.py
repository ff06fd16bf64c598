"""Looking around: each stream is looked at when it asked for it, and no more once it said never."""

import asyncio
import weakref
from collections.abc import Callable

from services.ingest.streams.rounds import Rounds


class _Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic_s(self) -> float:
        return self.now_s

    def boottime_s(self) -> float:
        return self.now_s

    def time_unix_nano(self) -> int:
        return int(self.now_s * 1e9)

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await asyncio.sleep(0)


def _looking(seen: list[tuple[str, float]], name: str, every_s: float, times: int) -> Callable[[float], float | None]:
    """Looks every so often, so many times."""
    remaining = [times]

    def look(now_s: float) -> float | None:
        seen.append((name, now_s))
        remaining[0] -= 1
        return now_s + every_s if remaining[0] else None

    return look


def test_each_is_looked_at_when_it_is_due_and_no_more_when_it_is_over() -> None:
    clock, seen = _Clock(), list[tuple[str, float]]()
    rounds = Rounds(every_s=1.0, clock=clock)
    rounds.add(_looking(seen, "often", 2.0, 3), due_s=1.0)
    rounds.add(_looking(seen, "once", 1.0, 1), due_s=3.0)
    for second in range(10):
        clock.now_s = float(second)
        rounds.look()

    assert seen == [("often", 1.0), ("once", 3.0), ("often", 3.0), ("often", 5.0)]


def test_who_is_gone_is_not_looked_at_any_more_and_is_let_go() -> None:
    clock, seen = _Clock(), list[tuple[str, float]]()
    rounds = Rounds(every_s=1.0, clock=clock)
    look = _looking(seen, "gone", 1.0, 9)
    end = rounds.add(look, due_s=5.0)
    kept = weakref.ref(look)
    del look
    end()
    clock.now_s = 9.0
    rounds.look()

    assert (seen, kept()) == ([], None)


def test_who_asks_to_be_looked_at_at_once_waits_for_the_next_round() -> None:
    clock, seen = _Clock(), list[tuple[str, float]]()
    rounds = Rounds(every_s=1.0, clock=clock)
    rounds.add(_looking(seen, "eager", -5.0, 2), due_s=0.0)
    rounds.look()
    first = len(seen)
    clock.now_s = 1.0
    rounds.look()

    assert (first, len(seen)) == (1, 2)


def test_many_that_are_due_at_the_same_moment_are_looked_at_in_turn() -> None:
    seen: list[tuple[str, float]] = []
    rounds = Rounds(every_s=1.0, clock=_Clock())
    for number in range(100):
        rounds.add(_looking(seen, str(number), 1.0, 1), due_s=0.0)
    rounds.look()

    assert [name for name, _ in seen] == [str(number) for number in range(100)]


async def test_while_it_runs_it_looks_by_itself() -> None:
    seen: list[tuple[str, float]] = []
    rounds = Rounds(every_s=1.0, clock=_Clock())
    rounds.add(_looking(seen, "one", 1.0, 3), due_s=1.0)
    async with rounds.running():
        while len(seen) < 3:
            await asyncio.sleep(0)

    assert [at_s for _, at_s in seen] == [1.0, 2.0, 3.0]
