"""Which of FLick's own figures become metrics of this machine."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from agent.collectors.custom.scrape import read_source
from deploy.local.own_metrics import METRICS, write_sources
from flick.bus.health import BusMetrics
from flick.telemetry import ProcessMetrics
from gateway.metrics import GatewayMetrics
from services.auth.telemetry import AuthMetrics
from services.ingest.metrics import IngestMetrics
from services.query.metrics import QueryMetrics

ADDRESSES = {part: f"127.0.0.1:{number}" for number, part in enumerate(METRICS, start=9101)}
KINDS = {"auth": AuthMetrics, "ingest": IngestMetrics, "query": QueryMetrics, "gateway": GatewayMetrics}


def told_by(part: str) -> set[str]:
    """Every name that a part tells, and those of its histograms."""
    registry = CollectorRegistry()
    registry.register(ProcessMetrics())
    KINDS[part](registry=registry)
    if part in ("ingest", "query"):
        BusMetrics(registry=registry)
    names = set()
    for family in registry.collect():
        ending = "_total" if family.type == "counter" else ""
        names.add(f"{family.name}{ending}")
        if family.type == "histogram":
            names.add(f"{family.name}_count")
    return names


@pytest.mark.parametrize("part", METRICS)
def test_every_name_is_one_that_the_part_tells(part: str) -> None:
    assert set(METRICS[part]) <= told_by(part)


def test_the_agent_can_read_what_is_written_and_other_files_stay(tmp_path: Path) -> None:
    folder = tmp_path / "custom"
    folder.mkdir()
    (folder / "own.prom").write_text("a 1\n")
    for _ in range(2):
        write_sources(folder, addresses=ADDRESSES)
    sources = {path.name: read_source(path.read_text()) for path in sorted(folder.glob("*.toml"))}

    assert list(sources) == sorted(f"flick-{part}.scrape.toml" for part in METRICS)
    assert {source.labels["service"]: source.port for source in sources.values()} == {
        "auth": 9101,
        "ingest": 9102,
        "query": 9103,
        "gateway": 9104,
    }
    assert sources["flick-query.scrape.toml"].metrics == frozenset(METRICS["query"])
    assert (folder / "own.prom").read_text() == "a 1\n"
