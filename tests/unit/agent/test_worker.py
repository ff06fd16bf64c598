"""A call that hangs holds up who asks once and for a moment; what comes late is not taken for another answer."""

import gc
import math
import threading

import pytest

from agent.collection import Collection
from agent.collectors.aside import AsideCollector
from agent.collectors.collector import Measured, Moment
from agent.worker import Worker
from flick.v1 import catalog_pb2 as catalog
from tests.waiting import until

LONG_S = 30.0  # never waited for, unless the test fails


def test_it_answers_and_raises_as_the_call_does() -> None:
    worker = Worker(within_s=LONG_S)

    assert [worker.run(lambda number=number: number * 2) for number in range(3)] == [0, 2, 4]  # type: ignore[misc]
    with pytest.raises(ZeroDivisionError):
        worker.run(lambda: 1 / 0)


async def test_all_calls_are_made_on_one_thread_that_ends_with_the_worker() -> None:
    worker = Worker(within_s=LONG_S)
    found = {worker.run(threading.current_thread) for _ in range(5)}
    thread = found.pop()
    alive = thread.is_alive()
    del worker
    gc.collect()

    assert not found
    assert alive
    assert thread is not threading.current_thread()
    await until(lambda: not thread.is_alive())


class Hanging:
    """A collector that answers when it is let."""

    name = "hanging"

    def __init__(self) -> None:
        self.let = threading.Event()
        self.asked = 0
        self.answered = threading.Event()

    def collect(self, moment: Moment) -> Measured:
        self.asked += 1
        self.let.wait()
        self.answered.set()
        return Measured(core={catalog.METRIC_UPTIME: moment.boottime_s})

    def close(self) -> None:
        return


def at(seconds: float) -> Moment:
    return Moment(monotonic_s=seconds, boottime_s=seconds)


def test_what_hangs_is_not_asked_again_before_it_has_answered_not_even_by_another_set_of_collectors() -> None:
    hanging, worker = Hanging(), Worker(within_s=0.01)
    sets = [Collection(collectors=[AsideCollector(collector=hanging, worker=worker)]) for _ in range(2)]
    readings = [one.collect(at(second)) for second in range(1, 5) for one in sets]
    asked = hanging.asked
    hanging.let.set()

    assert asked == 1
    assert all(math.isnan(one.core[catalog.METRIC_UPTIME - 1]) for one in readings)


async def test_a_late_answer_is_lost_and_the_next_question_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    hanging, worker = Hanging(), Worker(within_s=0.05)
    collection = Collection(collectors=[AsideCollector(collector=hanging, worker=worker)])
    for second in (1, 2, 3):
        collection.collect(at(second))
    hanging.let.set()
    await until(hanging.answered.is_set)
    found = math.nan
    second = 4
    while math.isnan(found):
        found = collection.collect(at(second)).core[catalog.METRIC_UPTIME - 1]
        second += 1

    assert found == second - 1
    assert "no answer within 0.05 s" in caplog.records[0].__dict__["reason"]
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1
