"""`flick query` before a gateway."""

import json
import time

import pytest

from flick.v1 import ingest_pb2, query_pb2
from tests.integration.cli.command import User
from tests.integration.gateway.running import Gateway

CPU, CORES = "system.cpu.utilization", "system.cpu.core.utilization"


def _history() -> query_pb2.QueryMetricsResponse:
    answer = query_pb2.QueryMetricsResponse()
    answer.series.add(name=CPU, unit="1", times=[0.0, 5.0], values=[0.25, 0.75])
    answer.series.add(name=CORES, labels={"cpu.logical_number": "\x1b[31m"}, unit="1", times=[5.0], values=[1.0])
    gap = answer.gaps.add(reason=ingest_pb2.GAP_REASON_AGENT_STOPPED)
    gap.start_time.FromJsonString("2026-01-02T03:04:05Z")
    gap.end_time.FromJsonString("2026-01-02T03:05:00Z")
    return answer


async def test_it_shows_each_series_in_short_and_the_gaps(signed_in: User, gateway: Gateway) -> None:
    gateway.backends.query.history = _history()
    outcome = await signed_in.flick("query", "web-1", CPU, CORES)
    lines = [" ".join(line.split()) for line in outcome.out.splitlines()]

    assert (outcome.code, outcome.err) == (0, "")
    assert f"{CPU} 1 0.25 0.5 0.75 0.75" in lines
    assert f"{CORES}{{cpu.logical_number=\ufffd[31m}} 1 1 1 1 1" in lines
    assert "2026-01-02T03:04:05Z 2026-01-02T03:05:00Z agent stopped" in lines


async def test_it_asks_for_the_metrics_and_the_span_that_are_named(signed_in: User, gateway: Gateway) -> None:
    gateway.backends.query.history = _history()
    began_s = time.time()
    await signed_in.flick("query", "web-1", CPU, CORES, "--last", "24h", "--points", "77")
    (asked,) = gateway.backends.query.histories_asked

    assert (list(asked.names), asked.max_points) == ([CPU, CORES], 77)
    assert began_s - 86_401 <= asked.start_time.ToNanoseconds() / 1e9 <= time.time() - 86_400


async def test_points_come_as_csv_and_as_the_api_s_answer(signed_in: User, gateway: Gateway) -> None:
    gateway.backends.query.history = _history()
    as_csv = await signed_in.flick("query", "web-1", CPU, "--csv")
    as_json = await signed_in.flick("query", "web-1", CPU, "--json")

    assert "\x1b" not in as_csv.out, "a label steers no terminal"
    assert as_csv.out.splitlines()[1:] == ["1970-01-01T00:00:00Z,0.25,", "1970-01-01T00:00:05Z,0.75,1"]
    assert json.loads(as_json.out)["series"][0]["values"] == [0.25, 0.75]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["web-1"], 2),
        (["web-1", CPU, "--csv", "--json"], 2),
        (["web-1", CPU, "--points", "9"], 2),
        (["nowhere", CPU], 4),
    ],
)
async def test_wrong_usage_and_unknown_servers_are_told(signed_in: User, arguments: list[str], code: int) -> None:
    assert (await signed_in.flick("query", *arguments)).code == code


async def test_a_refusal_is_shown_in_the_api_s_words(signed_in: User) -> None:
    outcome = await signed_in.flick("query", "web-1", CPU)

    assert outcome.code == 1
    assert "Too much at once." in outcome.err
