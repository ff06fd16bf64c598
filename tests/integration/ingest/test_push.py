"""Pushes: stored before they are answered, once, beside one another, and refused value by value with the fix."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest

from flick.ids import new_id, pushed_source
from flick.rpc.client import open_channel
from flick.v1 import options_pb2, push_pb2, push_pb2_grpc, telemetry_pb2
from services.ingest.push.pace import AT_ONCE
from services.ingest.push.push import MAX_SERIES
from services.ingest.push.reading import MAX_VALUES
from services.ingest.sealing.blocks import seal_samples
from services.ingest.sealing.span import Span
from services.ingest.sealing.store import SealStore
from tests.integration.ingest.agent import batch, now_ns, sample
from tests.integration.ingest.house import IngestHouse
from tests.packed import read_labelled
from tests.tiny_auth import Enrolled

HOUR_MS = 3_600_000


@asynccontextmanager
async def _stub(ingest: IngestHouse) -> AsyncIterator[Any]:
    async with open_channel(ingest.address) as channel:
        yield push_pb2_grpc.PushServiceStub(channel)


async def _push(
    ingest: IngestHouse, enrolled: Enrolled, *values: push_pb2.PushedValue, text: str = "", time_ms: int = 0
) -> push_pb2.PushMetricsResponse:
    request = push_pb2.PushMetricsRequest(server_id=enrolled.server_id, values=values)
    request.text.data = text.encode()
    if time_ms:
        request.time.FromMilliseconds(time_ms)
    async with _stub(ingest) as stub:
        answer = await stub.PushMetrics(request, metadata=(("authorization", f"Bearer {enrolled.key}"),))
    assert isinstance(answer, push_pb2.PushMetricsResponse)
    return answer


def _value(name: str, value: float, *, at_ms: int = 0, **more: Any) -> push_pb2.PushedValue:
    made = push_pb2.PushedValue(name=name, value=value, **more)
    if at_ms:
        made.time.FromMilliseconds(at_ms)
    return made


def _now_ms() -> int:
    return now_ns() // 1_000_000


async def _rows(ingest: IngestHouse, enrolled: Enrolled) -> list[tuple[int, dict[str, float | None]]]:
    """What is stored of pushes: microseconds since the Unix epoch, and values by name and labels."""
    rows = await ingest.database.fetch(
        "select (extract(epoch from m.time) * 1000000)::bigint as time_us, m.labelled, l.series"
        " from telemetry.metrics m join telemetry.layouts l using (layout_id) where m.server_id = $1 order by m.time",
        pushed_source(UUID(enrolled.server_id)),
    )
    return [(row["time_us"], _named(row["series"], read_labelled(row["labelled"]) or [])) for row in rows]


def _named(packed: bytes, values: list[float | None]) -> dict[str, float | None]:
    layout = telemetry_pb2.Layout.FromString(packed)
    found = {}
    for one, value in zip(layout.series, values, strict=True):
        metric = layout.custom_metrics[one.custom_metric - 1]
        labels = ",".join(f"{key}={text}" for key, text in zip(metric.label_keys, one.label_values, strict=True))
        found[f"{metric.name}{{{labels}}}" if labels else metric.name] = value
    return found


def _counts(answer: push_pb2.PushMetricsResponse) -> tuple[int, int, int]:
    return answer.stored_count, answer.duplicate_count, answer.rejected_count


async def test_values_are_stored_at_their_time_beside_the_agents_sample_of_that_moment(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    at_ms = _now_ms()
    async with fresh.agent(enrolled) as agent:
        await agent.hello()
        await agent.send(batch(1, sample(at_ms * 1_000_000, 0.5)))
        await agent.acked(1)
    values = [_value("backup_bytes", 12), _value("jobs", 3, labels={"queue": "mail", "empty": ""})]
    answer = await _push(fresh, enrolled, *values, time_ms=at_ms)

    assert _counts(answer) == (2, 0, 0)
    assert await _rows(fresh, enrolled) == [(at_ms * 1000, {"backup_bytes": 12.0, "jobs{queue=mail}": 3.0})]
    assert [row["cpu_utilization"] for row in await fresh.stored(enrolled)] == [0.5]
    assert fresh.count("pushed_values_total", outcome="stored") == 2


async def test_the_same_push_again_changes_nothing(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    at_ms = _now_ms()
    values = [
        _value("a", 1, at_ms=at_ms - 1000),
        _value("a", 2, at_ms=at_ms),
        _value("b_total", 5, at_ms=at_ms - 1000),
        _value("b_total", 9, at_ms=at_ms),
    ]
    first = await _push(fresh, enrolled, *values)
    rows = await _rows(fresh, enrolled)
    again = await _push(fresh, enrolled, *reversed(values))

    assert (_counts(first), _counts(again)) == ((4, 0, 0), (0, 4, 0))
    assert await _rows(fresh, enrolled) == rows
    assert [row for _, row in rows] == [{"a": 1.0, "b_total": None}, {"a": 2.0, "b_total": 4.0}]


async def test_pushes_of_other_series_at_the_same_time_are_all_kept(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    at_ms = _now_ms()
    await asyncio.gather(*(_push(fresh, enrolled, _value(name, 1, at_ms=at_ms)) for name in "abcde"))
    rows = await _rows(fresh, enrolled)

    assert sorted(next(iter(row)) for _, row in rows) == list("abcde")
    assert [time_us - at_ms * 1000 for time_us, _ in rows] == [0, 1, 2, 3, 4]


async def test_other_values_of_the_same_series_and_time_are_refused(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    at_ms = _now_ms()
    await _push(fresh, enrolled, _value("a", 1, at_ms=at_ms))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await _push(fresh, enrolled, _value("a", 2, at_ms=at_ms))

    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "other values of these series at this time" in (refused.value.details() or "")
    assert [row for _, row in await _rows(fresh, enrolled)] == [{"a": 1.0}]


async def test_counters_become_rates_over_pushes_and_survive_a_reset(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    at_ms = _now_ms() - 60_000
    for number, count in enumerate((100, 130, 10, 40)):
        answer = await _push(fresh, enrolled, text=f"jobs_total {count}\n", time_ms=at_ms + 10_000 * number)
        assert _counts(answer) == (1, 0, 0)
    with pytest.raises(grpc.aio.AioRpcError, match="older than what was pushed of this counter last"):
        await _push(fresh, enrolled, text="jobs_total 105\n", time_ms=at_ms + 5_000)

    assert [row["jobs_total"] for _, row in await _rows(fresh, enrolled)] == [None, 3.0, None, 3.0]
    described = await fresh.database.fetchrow("select name, unit, kind from telemetry.custom_metrics")
    assert tuple(described or ()) == ("jobs_total", "1/s", options_pb2.METRIC_KIND_RATE)


async def test_text_is_taken_with_its_own_times_and_what_is_wrong_is_named_by_its_line(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    at_ms = _now_ms()
    text = f"# HELP a_bytes What.\na_bytes 1 {at_ms - 5000}\nb one\nc NaN\nd 4\nd 5\n"
    answer = await _push(fresh, enrolled, text=text, time_ms=at_ms)

    assert _counts(answer) == (2, 0, 3)
    assert {one.field: one.description.split(";")[0].split(".")[0] for one in answer.rejections} == {
        "text: line 3": "'one' is no number",
        "text: line 4": "is no number",
        "text: line 6": "'d' comes twice with the same labels",
    }
    assert await _rows(fresh, enrolled) == [((at_ms - 5000) * 1000, {"a_bytes": 1.0}), (at_ms * 1000, {"d": 4.0})]


async def test_each_field_that_is_wrong_is_named_and_the_others_are_stored(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll(retention_days=2)
    at_ms = _now_ms()
    values = [
        _value("system.uptime", 1),
        _value("a", float("inf")),
        _value("a", 1, at_ms=at_ms + 60_000),
        _value("a", 1, at_ms=at_ms - 49 * HOUR_MS),
        _value("a", 1, labels={"a.b": "c"}),
        _value("a", 1, unit="two words"),
        _value("a", 1, type=push_pb2.PushedType.ValueType(9)),
        _value("good", 1),
        _value("good", 2),
    ]
    answer = await _push(fresh, enrolled, *values)

    assert _counts(answer) == (1, 0, 8)
    assert [one.field for one in answer.rejections] == [
        "values[0].name",
        "values[1].value",
        "values[2].time",
        "values[3].time",
        "values[4].labels",
        "values[5].unit",
        "values[6].type",
        "values[8]",
    ]


@pytest.mark.parametrize(
    ("values", "text", "words"),
    [
        ([], "", "push at least one value"),
        ([], "# only words\n", "push at least one value"),
        ([_value("1a", 1)], "", "Nothing was stored. values[0].name"),
        ([_value(f"a{number}", 1) for number in range(MAX_VALUES + 1)], "", f"at most {MAX_VALUES}"),
    ],
    ids=["nothing", "comments", "all wrong", "too many"],
)
async def test_a_push_of_which_nothing_can_be_stored_fails(
    ingest: IngestHouse, values: list[push_pb2.PushedValue], text: str, words: str
) -> None:
    enrolled = await ingest.enroll()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await _push(ingest, enrolled, *values, text=text)

    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert words in (refused.value.details() or "")


async def test_a_key_pushes_for_its_own_server_only(ingest: IngestHouse) -> None:
    enrolled, other = await ingest.enroll(), await ingest.enroll()
    request = push_pb2.PushMetricsRequest(server_id=other.server_id, values=[_value("a", 1)])
    own = push_pb2.PushMetricsRequest(values=[_value("a", 1)])
    metadata = (("authorization", f"Bearer {enrolled.key}"),)
    async with _stub(ingest) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.PushMetrics(request, metadata=metadata)
        answer = await stub.PushMetrics(own, metadata=metadata)

    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    assert answer.stored_count == 1
    assert len(await _rows(ingest, enrolled)) == 1


async def test_a_member_pushes_and_a_viewer_may_not(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    request = push_pb2.PushMetricsRequest(server_id=enrolled.server_id, values=[_value("a", 1)])
    answers = []
    async with _stub(ingest) as stub:
        for role in (options_pb2.ROLE_MEMBER, options_pb2.ROLE_VIEWER):
            _, metadata = ingest.auth.person(organization_id=enrolled.organization_id, role=role)
            answers.append(await _code(stub, request, metadata))

    assert answers == [grpc.StatusCode.OK, grpc.StatusCode.PERMISSION_DENIED]


async def _code(stub: Any, request: push_pb2.PushMetricsRequest, metadata: Any) -> grpc.StatusCode:
    try:
        await stub.PushMetrics(request, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_new_series_beyond_the_limit_are_refused_and_known_ones_are_stored(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    at_ms = _now_ms()
    for half in range(2):
        labels: list[Mapping[str, str]] = [
            {"number": str(number)} for number in range(half * MAX_SERIES // 2, (half + 1) * MAX_SERIES // 2)
        ]
        answer = await _push(fresh, enrolled, *(_value("a", 1, labels=one) for one in labels), time_ms=at_ms)
        assert _counts(answer) == (MAX_SERIES // 2, 0, 0)
    answer = await _push(fresh, enrolled, _value("a", 2, labels={"number": "7"}), _value("b", 1), time_ms=at_ms + 1000)

    assert _counts(answer) == (1, 0, 1)
    assert f"this server has {MAX_SERIES} that were pushed" in answer.rejections[0].description
    assert await fresh.database.fetchval("select count(*) from telemetry.pushed_series") == MAX_SERIES


async def test_series_whose_samples_are_gone_make_room_for_others(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll(retention_days=2)
    await fresh.database.execute(
        "insert into telemetry.pushed_series (server_id, organization_id, digest, series, time, value, pushed)"
        " select $1, $2, sha256(n::text::bytea), '', now() - interval '3 days', 1, 1"
        " from generate_series(1, $3::int) n",
        pushed_source(UUID(enrolled.server_id)),
        enrolled.organization_id,
        MAX_SERIES,
    )
    answer = await _push(fresh, enrolled, _value("a", 1))

    assert _counts(answer) == (1, 0, 0)
    assert await fresh.database.fetchval("select count(*) from telemetry.pushed_series") == 1


async def test_who_pushes_without_a_pause_is_told_when_to_come_again(ingest: IngestHouse) -> None:
    enrolled = await ingest.enroll()
    request = push_pb2.PushMetricsRequest(server_id=enrolled.server_id)
    metadata = (("authorization", f"Bearer {enrolled.key}"),)
    async with _stub(ingest) as stub:
        codes = [await _code(stub, request, metadata) for _ in range(AT_ONCE + 10)]

    assert codes[:AT_ONCE] == [grpc.StatusCode.INVALID_ARGUMENT] * AT_ONCE  # they hold nothing
    assert grpc.StatusCode.RESOURCE_EXHAUSTED in codes[AT_ONCE:]


async def test_a_push_into_an_hour_that_is_sealed_is_known_again(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    hour_ms = _now_ms() // HOUR_MS * HOUR_MS - 2 * HOUR_MS
    await _push(fresh, enrolled, _value("a", 1, at_ms=hour_ms + 500), _value("b", 2, at_ms=hour_ms + 500))
    await _seal(fresh, enrolled)
    again = await _push(fresh, enrolled, _value("a", 1, at_ms=hour_ms + 500), _value("b", 2, at_ms=hour_ms + 500))
    other = await _push(fresh, enrolled, _value("c", 3, at_ms=hour_ms + 500))

    assert (_counts(again), _counts(other)) == ((0, 2, 0), (1, 0, 0))
    assert await _rows(fresh, enrolled) == [((hour_ms + 500) * 1000 + 1, {"c": 3.0})]


async def _seal(ingest: IngestHouse, enrolled: Enrolled) -> None:
    """Put the rows into blocks as the sealer does, and take the rows away."""
    source = pushed_source(UUID(enrolled.server_id))
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    span, store = Span.of_hour(source, hour), SealStore()
    async with ingest.same_role.transaction(isolation="repeatable_read"):
        rows = await store.read(ingest.same_role, span)
        assert rows is not None
        assert rows.samples
        blocks = [seal_samples(one) for one in rows.samples]
        await store.add(ingest.same_role, span, samples=blocks, snapshots=[])
    await ingest.database.execute("delete from telemetry.metrics where server_id = $1", source)


async def test_a_push_is_refused_while_commits_would_not_be_durable(fresh: IngestHouse) -> None:
    enrolled = await fresh.enroll()
    database = await fresh.database.fetchval("select current_database()")
    await fresh.database.execute(f'alter database "{database}" set synchronous_commit = off')
    await fresh.end_connections()
    request = push_pb2.PushMetricsRequest(server_id=enrolled.server_id, values=[_value("a", 1)])
    metadata = (("authorization", f"Bearer {enrolled.key}"),)
    async with _stub(fresh) as stub:
        code = await _code(stub, request, metadata)

    assert code == grpc.StatusCode.UNAVAILABLE
    assert await _rows(fresh, enrolled) == []


def test_the_source_of_pushes_is_no_servers_id() -> None:
    assert pushed_source(new_id()).version != new_id().version
