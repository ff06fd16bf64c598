"""What two pages of a process say together."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from services.query.stats.page import Page, Span
from services.query.stats.targets import Target, parse_targets


def page(registry: CollectorRegistry, at_s: float) -> Page:
    return Page.read(generate_latest(registry).decode(), at_s=at_s)


def test_a_rate_is_what_a_counter_grew_by_over_all_labels() -> None:
    registry = CollectorRegistry()
    requests = Counter("requests", "Requests.", ["status"], registry=registry)
    requests.labels("200").inc(100)
    before = page(registry, 10.0)
    requests.labels("200").inc(30)
    requests.labels("404").inc(10)
    span = Span(before, page(registry, 14.0))

    assert span.rate("requests_total") == 10
    assert span.after.get("requests_total") == 140
    assert span.rate("nothing_total") is None


def test_after_a_restart_no_rate_is_known() -> None:
    old, new = CollectorRegistry(), CollectorRegistry()
    Counter("requests", "Requests.", registry=old).inc(100)
    Counter("requests", "Requests.", registry=new).inc(5)

    assert Span(page(old, 0), page(new, 1)).rate("requests_total") is None


def test_a_quantile_is_of_what_was_observed_between_the_pages() -> None:
    registry = CollectorRegistry()
    seconds = Histogram("seconds", "Seconds.", registry=registry, buckets=(1, 2, 4))
    for _ in range(1000):
        seconds.observe(3.5)
    before = page(registry, 0.0)
    for value in (0.5, 1.5, 1.5, 1.5):
        seconds.observe(value)
    span = Span(before, page(registry, 15.0))

    assert span.quantile("seconds", 0.25) == 1
    assert span.quantile("seconds", 1) == 2
    assert Span(before, before).quantile("seconds", 0.5) is None


def test_labels_tell_where_a_value_is_more_than_nothing() -> None:
    registry = CollectorRegistry()
    trouble = Gauge("trouble", "Trouble.", ["reason"], registry=registry)
    for reason, value in (("disk_full", 1), ("locked", 0), ("away", 1)):
        trouble.labels(reason).set(value)

    assert list(page(registry, 0).where("trouble", "reason")) == ["away", "disk_full"]


def test_what_is_no_page_is_refused() -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's own words
        Page.read("<html>no metrics</html>", at_s=0)


def test_processes_are_told_by_name_and_address() -> None:
    assert parse_targets(["ingest=127.0.0.1:9102", "auth=[::1]:1"]) == [
        Target("ingest", "127.0.0.1:9102"),
        Target("auth", "[::1]:1"),
    ]


@pytest.mark.parametrize("text", ["ingest", "=127.0.0.1:1", "ingest=127.0.0.1", "ingest=host:x"])
def test_what_tells_no_process_is_named_with_the_fix(text: str) -> None:
    with pytest.raises(ValueError, match=r"ingest=127\.0\.0\.1:9102"):
        parse_targets([text])
