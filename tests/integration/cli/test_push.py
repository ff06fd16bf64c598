"""`flick push` before a gateway."""

import time

import pytest

from flick.v1 import push_pb2
from tests.integration.cli.command import User
from tests.integration.gateway.running import Gateway


async def test_values_are_pushed_with_their_labels_and_the_present_time(signed_in: User, gateway: Gateway) -> None:
    gateway.backends.push.answer = push_pb2.PushMetricsResponse(stored_count=2)
    began_ms = time.time_ns() // 1_000_000
    outcome = await signed_in.flick(
        "push", "backup_bytes=123456", "jobs_total=4.5", "--server", "web-1", "--label", "job=db=1"
    )
    (asked,) = gateway.backends.push.asked

    assert (outcome.code, outcome.out.strip(), outcome.err) == (0, "Stored 2 of 2.", "")
    assert asked.server_id == "019a0000-0000-7000-8000-000000000001"
    assert [(one.name, one.value, dict(one.labels)) for one in asked.values] == [
        ("backup_bytes", 123456.0, {"job": "db=1"}),
        ("jobs_total", 4.5, {"job": "db=1"}),
    ]
    assert began_ms <= asked.time.ToMilliseconds() <= time.time_ns() // 1_000_000


async def test_what_was_refused_is_told_and_is_an_error(signed_in: User, gateway: Gateway) -> None:
    rejection = push_pb2.PushRejection(field="values[1].name", description="is '1\x1b[31m'; write letters.")
    gateway.backends.push.answer = push_pb2.PushMetricsResponse(
        stored_count=1, rejected_count=1, rejections=[rejection]
    )
    outcome = await signed_in.flick("push", "a=1", "1=1", "--server", "web-1")

    assert (outcome.code, outcome.out.strip()) == (1, "Stored 1 of 2.")
    assert outcome.err.strip() == "values[1].name: is '1\ufffd[31m'; write letters."


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a"], "'a' is no value; write NAME=NUMBER."),
        (["=1"], "'=1' is no value"),
        (["a=one"], "'a=one' is no value"),
        (["a=nan"], "'a=nan' is no value"),
        (["a=1", "--label", "job"], "--label is 'job'; write KEY=TEXT."),
    ],
)
async def test_what_is_no_value_or_label_is_wrong_usage(
    signed_in: User, gateway: Gateway, arguments: list[str], words: str
) -> None:
    outcome = await signed_in.flick("push", *arguments, "--server", "web-1")

    assert outcome.code == 2
    assert words in outcome.err
    assert gateway.backends.push.asked == []
