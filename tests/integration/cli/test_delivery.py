"""`flick servers delivery` before a gateway."""

import json
import time

import pytest

from flick.v1 import delivery_pb2, ingest_pb2
from tests.integration.cli.command import User
from tests.integration.gateway.running import Gateway


def _delivery() -> delivery_pb2.GetServerDeliveryResponse:
    answer = delivery_pb2.GetServerDeliveryResponse(
        received_count=2**53 + 3,
        committed_count=2**53,
        rejected=[delivery_pb2.RejectedCount(reason=ingest_pb2.REJECTION_REASON_FUTURE, count=3)],
        gap_count=1,
    )
    answer.lag.p50.FromMilliseconds(120)
    gap = answer.gaps.add(reason=ingest_pb2.GAP_REASON_SPOOL_FULL, dropped_samples=9)
    gap.start_time.FromJsonString("2026-01-02T03:04:05Z")
    gap.end_time.FromJsonString("2026-01-02T03:05:00Z")
    event = answer.events.add(
        kind=delivery_pb2.DELIVERY_EVENT_KIND_SUPERSEDED,
        count=2,
        agent=delivery_pb2.DeliveryAgent(spool_id="new"),
        superseded=delivery_pb2.DeliveryAgent(spool_id="old\x1b[31m"),
        detail="[bold]Another[/bold] agent came.",
    )
    event.time.FromJsonString("2026-01-02T03:04:06.5Z")
    answer.stream.connected = True
    answer.stream.open_time.GetCurrentTime()
    return answer


async def test_it_shows_counts_gaps_and_events(signed_in: User, gateway: Gateway) -> None:
    gateway.backends.query.delivery = _delivery()
    outcome = await signed_in.flick("servers", "delivery", "web-1")
    lines = [" ".join(line.split()) for line in outcome.out.splitlines()]

    assert (outcome.code, outcome.err) == (0, "")
    assert "server web-1" in lines
    assert "stored 9007199254740992" in lines
    assert "rejected 3 (future 3)" in lines
    assert "lag p50 0.12 s" in lines
    assert "2026-01-02 03:04:05 2026-01-02 03:05:00 spool full 9" in lines
    assert "2026-01-02 03:04:06 superseded 2 [bold]Another[/bold] agent came. (spool old\ufffd[31m, now new)" in lines


async def test_as_json_it_is_the_api_s_answer(signed_in: User, gateway: Gateway) -> None:
    gateway.backends.query.delivery = _delivery()
    outcome = await signed_in.flick("servers", "delivery", "web-1", "--json")
    answer = json.loads(outcome.out)

    assert answer["committedCount"] == "9007199254740992"
    assert answer["events"][0]["kind"] == "DELIVERY_EVENT_KIND_SUPERSEDED"


@pytest.mark.parametrize(("option", "seconds"), [([], 3600), (["--last", "24h"], 86_400)])
async def test_it_asks_for_the_span_that_is_named(
    signed_in: User, gateway: Gateway, option: list[str], seconds: int
) -> None:
    began_s = time.time()
    await signed_in.flick("servers", "delivery", "web-1", *option)
    (asked,) = gateway.backends.query.deliveries_asked

    assert began_s - seconds - 1 <= asked.start_time.ToNanoseconds() / 1e9 <= time.time() - seconds
    assert not asked.HasField("end_time")


async def test_a_server_that_is_not_there_is_told(signed_in: User) -> None:
    outcome = await signed_in.flick("servers", "delivery", "nowhere")

    assert outcome.code == 4
    assert "flick servers ls" in outcome.err
