"""Programs on this machine that tell metrics over HTTP: real pages, and answers that are none."""

import asyncio
import itertools
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from agent.collectors.collector import CustomMetric, Moment
from agent.collectors.custom.collector import CustomCollector
from agent.collectors.custom.folder import CustomFolder
from agent.collectors.custom.reading import Meter
from agent.collectors.custom.scrape import EVERY_S, MAX_PAGE_BYTES, Scrape
from agent.collectors.custom.settings import CustomSettings
from flick.exposition import Value
from flick.telemetry import serve_metrics
from flick.v1 import options_pb2
from tests.waiting import eventually


def write(folder: Path, address: str, *metrics: str, labels: str = "") -> Scrape:
    names = ", ".join(f'"{name}"' for name in metrics)
    path = folder / "shop.scrape.toml"
    path.write_text(f'url = "http://{address}/metrics"\nmetrics = [{names}]\n{labels}\n')
    return Scrape(path=str(path))


def by_labels(values: tuple[Value, ...]) -> Mapping[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {(one.name, one.labels): one.value for one in values}


async def test_only_what_is_named_is_taken_with_the_labels_of_the_file(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    Counter("orders", "Orders.", ["country"], registry=registry).labels("fr").inc(3)
    Counter("orders_refused", "No.", registry=registry).inc(9)
    Gauge("queue_bytes", "Bytes that wait.", registry=registry).set(7)
    async with serve_metrics(listen="127.0.0.1:0", registry=registry) as address:
        scrape = write(tmp_path, address, "orders_total", "queue_bytes", labels='labels = { service = "shop" }')
        told = await asyncio.to_thread(scrape.read)
    orders, queue = told.values

    assert by_labels(told.values) == {
        ("orders_total", (("country", "fr"), ("service", "shop"))): 3,
        ("queue_bytes", (("service", "shop"),)): 7,
    }
    assert (orders.is_counter, queue.is_counter) == (True, False)
    assert (queue.unit, queue.description) == ("By", "Bytes that wait.")


async def test_counters_become_rates(tmp_path: Path) -> None:
    registry, meter = CollectorRegistry(), Meter()
    orders = Counter("orders", "Orders.", registry=registry)
    async with serve_metrics(listen="127.0.0.1:0", registry=registry) as address:
        scrape = write(tmp_path, address, "orders_total")
        first = await asyncio.to_thread(scrape.read)
        meter.update(first)
        orders.inc(100)
        second = await asyncio.to_thread(scrape.read)
        meter.update(second)
    ((metric, labels),) = meter.values

    assert list(meter.values.values()) == [pytest.approx(100 / (second.at_s - first.at_s), rel=1e-5)]
    assert labels == ()
    assert getattr(metric, "kind", None) == options_pb2.METRIC_KIND_RATE


async def test_a_histogram_becomes_quantiles_of_what_was_counted_since(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    seconds = Histogram("order_seconds", "Time.", ["kind"], registry=registry, buckets=(1, 2, 4))
    for _ in range(1000):
        seconds.labels("a").observe(3.5)
    async with serve_metrics(listen="127.0.0.1:0", registry=registry) as address:
        scrape = write(tmp_path, address, "order_seconds", "order_seconds_count")
        first = by_labels((await asyncio.to_thread(scrape.read)).values)
        for _ in range(100):
            seconds.labels("a").observe(1.5)
        second = (await asyncio.to_thread(scrape.read)).values
        third = by_labels((await asyncio.to_thread(scrape.read)).values)
    half, most = (("order_seconds", (("kind", "a"), ("quantile", share))) for share in ("0.5", "0.99"))

    assert math.isnan(first[half])
    assert by_labels(second)[half] == pytest.approx(1.5)
    assert by_labels(second)[most] == pytest.approx(1.99)
    assert math.isnan(third[most])
    assert by_labels(second)["order_seconds_count", (("kind", "a"),)] == 1100
    assert {one.unit for one in second if one.name == "order_seconds"} == {"s"}
    assert not any(one.name.endswith("_bucket") for one in second)


async def test_of_a_histogram_that_was_reset_nothing_is_told(tmp_path: Path) -> None:
    path = tmp_path
    scrape: Scrape | None = None
    told = []
    for count in (10, 3):
        registry = CollectorRegistry()
        seconds = Histogram("order_seconds", "Time.", registry=registry, buckets=(1, 2))
        for _ in range(count):
            seconds.observe(0.5)
        async with serve_metrics(listen="127.0.0.1:0", registry=registry) as address:
            written = write(path, address, "order_seconds")
            scrape = scrape or written
            told.append(await asyncio.to_thread(scrape.read))

    assert len(told[0].values) == 2
    assert told[1].values == ()


@asynccontextmanager
async def answering(answer: Callable[[bytes], bytes], *, ends: bool = True) -> AsyncIterator[str]:
    """A program that answers every request with the same bytes; yields its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(request))
        try:
            await writer.drain()
            if not ends:
                await reader.read()
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", ValueError, "404"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\n\r\n", ValueError, "302"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", ValueError, "SSH"),
        (b"", ValueError, "not 200"),
        (b"HTTP/1.0 200 OK\r\n\r\na_total one\n", ValueError, "line 1"),
        (b"HTTP/1.0 200 OK\r\n\r\na_total 1 1700000000000\n", ValueError, "tells a time"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + b"#" * (MAX_PAGE_BYTES + 1), ValueError, "more than"),
        (b"HTTP/1.0 200 OK\r\n\r\n\xff\xfe", UnicodeDecodeError, "utf-8"),
    ],
    ids=["not found", "elsewhere", "no HTTP", "nothing", "no number", "a time", "too long", "no text"],
)
async def test_an_answer_that_is_no_page_is_told(
    tmp_path: Path, answer: bytes, error: type[Exception], says: str
) -> None:
    async with answering(lambda _: answer) as address:
        scrape = write(tmp_path, address, "a_total")
        with pytest.raises(error, match=says):
            await asyncio.to_thread(scrape.read)


async def test_a_program_that_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    async with answering(lambda _: b"HTTP/1.0 200 OK\r\n\r\na_total 1", ends=False) as address:
        scrape = write(tmp_path, address, "a_total")
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(scrape.read)


async def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    async with answering(lambda _: b"") as address:
        scrape = write(tmp_path, address, "a_total")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.to_thread(scrape.read)


async def test_in_the_folder_it_is_a_source_like_others_and_fails_by_its_name(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    Gauge("queue_bytes", "Bytes that wait.", registry=registry).set(7)
    (tmp_path / "jobs.prom").write_text("jobs 3\n")
    custom = CustomCollector(folder=CustomFolder(settings=CustomSettings(folder=tmp_path)))
    now_s = itertools.count(1000.0, step=EVERY_S)

    async def told() -> tuple[Mapping[str, float], Mapping[str, str]]:
        at_s = next(now_s)
        found = await asyncio.to_thread(custom.collect, Moment(monotonic_s=at_s, boottime_s=at_s))
        names = [metric.name for metric, _ in found.series if isinstance(metric, CustomMetric)]
        return dict(zip(names, found.values, strict=True)), dict(found.failing)

    async with serve_metrics(listen="127.0.0.1:0", registry=registry) as address:
        write(tmp_path, address, "queue_bytes")
        values, failing = await eventually(told, lambda found: found[0].get("queue_bytes") == 7, every_s=0.05)
    away, reasons = await eventually(told, lambda found: bool(found[1]), every_s=0.05)

    assert (values["jobs"], failing) == (3, {})
    assert list(reasons) == ["shop.scrape.toml"]
    assert "Connection" in reasons["shop.scrape.toml"]
    assert away["jobs"] == 3
    assert math.isnan(away["queue_bytes"])
