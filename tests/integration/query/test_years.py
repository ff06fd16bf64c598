"""What the benchmark of years asks, of query and in plain SQL, has the same answer: its set, scaled down."""

from typing import Any

import pytest
from google.protobuf.message import Message

from tests.bench.years.measure import years
from tests.bench.years.questions import Question
from tests.bench.years.size import SMALL


async def test_every_question_of_the_benchmark_has_the_answer_of_plain_sql() -> None:
    async with years(SMALL) as running:
        before = {one.name: await _both(one) for one in running.questions()}
        cost_s = await running.roll_up()
        after = {one.name: await _both(one) for one in running.questions()}

        for question in running.questions():
            for product, plain in (before[question.name], after[question.name]):
                found, expected = question.alike(product), question.alike(plain)
                assert expected, "there is an answer"
                _assert_alike(found, expected)
    assert cost_s > 0


async def _both(question: Question) -> tuple[Message, Message]:
    await question.prepare()
    return await question.product(), await question.plain()


def _assert_alike(found: Any, expected: Any) -> None:
    """Equal, but for the last digits of numbers."""
    if isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            _assert_alike(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-9)
    else:
        assert found == expected
