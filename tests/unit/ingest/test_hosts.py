"""What waits to be told of hosts: the last word of each stream, as long as it lives, and again while auth is away."""

import random
import uuid
from collections.abc import Sequence
from contextlib import ExitStack

from prometheus_client import CollectorRegistry

from flick.clock import SystemClock
from flick.errors import FlickError, Kind, unavailable
from flick.v1 import access_pb2, ingest_pb2, servers_pb2
from services.ingest.hosts import AT_ONCE, Hosts
from services.ingest.ledger.streams import Stream
from services.ingest.metrics import IngestMetrics
from tests.waiting import until


class _Auth:
    """Auth as a test wants it."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.hosts: dict[str, str] = {}
        self.error: FlickError | None = None
        self.refuses: set[str] = set()

    async def report(self, reports: Sequence[access_pb2.HostReport]) -> Sequence[access_pb2.HostRefusal]:
        self.calls.append([one.host.hostname for one in reports])
        if self.error is not None:
            raise self.error
        taken = [one for one in reports if one.host.hostname not in self.refuses]
        self.hosts |= {one.server_id: one.host.hostname for one in taken}
        return [access_pb2.HostRefusal(server_id=one.server_id) for one in reports if one not in taken]


class _Bench:
    def __init__(self) -> None:
        self.auth = _Auth()
        self.registry = CollectorRegistry()
        self.hosts = Hosts(
            report=self.auth.report,
            metrics=IngestMetrics(registry=self.registry).hosts,
            clock=SystemClock(),
            rng=random.Random(1),
            together_s=0.01,
            retry_s=0.02,
        )

    def count(self, outcome: str) -> float:
        return self.registry.get_sample_value("flick_ingest_host_reports_total", {"outcome": outcome}) or 0.0


def _stream() -> Stream:
    return Stream(
        server_id=uuid.uuid4(), organization_id=uuid.uuid4(), spool_id="s", agent_version="1", clock_offset_s=None
    )


def _hello(name: str) -> ingest_pb2.Hello:
    return ingest_pb2.Hello(host=servers_pb2.Host(hostname=name))


async def test_of_a_stream_the_last_word_is_told() -> None:
    bench, stream = _Bench(), _stream()
    with bench.hosts.heard(stream, _hello("first")):
        bench.hosts.tell(stream, servers_pb2.Host(hostname="second"))
        async with bench.hosts.running():
            await until(lambda: bench.auth.hosts)

    assert bench.auth.calls == [["second"]]


async def test_of_streams_that_have_ended_nothing_is_told() -> None:
    bench, stream = _Bench(), _stream()
    with bench.hosts.heard(_stream(), _hello("gone")):
        pass
    with bench.hosts.heard(stream, _hello("here")):
        async with bench.hosts.running():
            await until(lambda: bench.auth.hosts)

    assert bench.auth.calls == [["here"]]


async def test_while_auth_is_away_the_same_is_told_again_and_news_take_its_place() -> None:
    bench, stream = _Bench(), _stream()
    bench.auth.error = unavailable("auth is away")
    with bench.hosts.heard(stream, _hello("old")):
        async with bench.hosts.running():
            await until(lambda: len(bench.auth.calls) >= 3)
            bench.hosts.tell(stream, servers_pb2.Host(hostname="new"))
            bench.auth.error = None
            await until(lambda: bench.auth.hosts.get(str(stream.server_id)) == "new")

    assert bench.auth.calls[:3] == [["old"]] * 3
    assert bench.count("taken") == 1
    assert bench.count("failed") >= 3


async def test_what_auth_can_not_take_holds_up_nobody() -> None:
    bench = _Bench()
    bench.auth.error = FlickError(Kind.INTERNAL, "no")
    async with bench.hosts.running():
        with bench.hosts.heard(_stream(), _hello("poison")):
            await until(lambda: bench.auth.calls)
            bench.auth.error = None
            with bench.hosts.heard(_stream(), _hello("good")):
                await until(lambda: bench.auth.hosts)

    assert bench.auth.calls == [["poison"], ["good"]]
    assert bench.count("failed") == 1


async def test_what_auth_refuses_is_counted_and_not_told_again() -> None:
    bench, good = _Bench(), _stream()
    bench.auth.refuses.add("bad")
    async with bench.hosts.running():
        with bench.hosts.heard(_stream(), _hello("bad")), bench.hosts.heard(good, _hello("good")):
            await until(lambda: bench.auth.hosts)
            bench.hosts.tell(good, servers_pb2.Host(hostname="better"))
            await until(lambda: len(bench.auth.calls) == 2)

    assert bench.auth.calls == [["bad", "good"], ["better"]]
    assert (bench.count("refused"), bench.count("taken")) == (1, 2)


async def test_a_call_tells_of_so_many_at_most() -> None:
    bench = _Bench()
    with ExitStack() as stack:
        for number in range(AT_ONCE + 1):
            stack.enter_context(bench.hosts.heard(_stream(), _hello(str(number))))
        async with bench.hosts.running():
            await until(lambda: len(bench.auth.hosts) == AT_ONCE + 1)

    assert [len(call) for call in bench.auth.calls] == [AT_ONCE, 1]
