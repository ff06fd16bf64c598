"""What is asked at a calm rhythm is asked by one at a time, and only the first answer is waited for."""

import threading

import pytest

from agent.calm import Calm
from tests.waiting import until


class Slow:
    """Something that answers when it is let go, with how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.answered = 0
        self.go = threading.Event()
        self.error: Exception | None = None

    def __call__(self) -> int:
        self.asked += 1
        self.go.wait(30)
        self.answered = self.asked
        if self.error is not None:
            raise self.error
        return self.asked


def test_the_first_answer_is_there_at_once_and_stays_until_it_is_due() -> None:
    slow = Slow()
    slow.go.set()
    calm = Calm(ask=slow, every_s=30)

    assert [calm.latest(now_s) for now_s in (100, 101, 129)] == [1, 1, 1]
    assert slow.asked == 1


async def test_while_it_is_asked_again_the_last_answer_counts() -> None:
    slow = Slow()
    slow.go.set()
    calm = Calm(ask=slow, every_s=30)
    calm.latest(0)
    slow.go.clear()
    meanwhile = [calm.latest(now_s) for now_s in (30, 31)]
    slow.go.set()
    await until(lambda: calm.latest(32) == 2)

    assert meanwhile == [1, 1]
    assert slow.asked == 2


async def test_what_hangs_is_told_and_asked_no_second_time() -> None:
    slow = Slow()
    calm = Calm(ask=slow, every_s=30, late_s=20)
    before = calm.latest(0)
    for now_s in (21, 60, 600):
        with pytest.raises(TimeoutError, match="no answer within 20 s"):
            calm.latest(now_s)
    asked = slow.asked
    slow.go.set()
    await until(lambda: slow.answered)

    assert before is None
    assert asked == 1


def test_what_it_raised_is_raised_until_it_answers_again() -> None:
    slow = Slow()
    slow.go.set()
    slow.error = OSError("no")
    calm = Calm(ask=slow, every_s=30)
    for now_s in (0, 29):
        with pytest.raises(OSError, match="no"):
            calm.latest(now_s)

    assert slow.asked == 1
