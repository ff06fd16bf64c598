"""The Grafana dashboard asks for nothing that the running services don't tell."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from flick.telemetry import ProcessMetrics
from gateway.metrics import GatewayMetrics
from tests.databases import DatabaseServer
from tests.deployables import ROOT
from tests.integration.ingest.house import ingest_house
from tests.integration.ingest.schema import telemetry_template
from tests.integration.monitoring.promql import PromqlError, read
from tests.integration.query.house import query_house

DEPLOY = ROOT / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
TARGETS = {"job", "instance", "service"}  # Prometheus adds the first two, deploy/prometheus/targets.yaml the third
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "info": ("_info",), "histogram": ("_bucket", "_sum", "_count")}


def told_by(registry: CollectorRegistry) -> dict[str, set[str]]:
    """The names under which a registry's metrics are served, and the labels of each, also before any has a value."""
    told: dict[str, set[str]] = {}
    for collector in list(registry._collector_to_names):
        labels = set(getattr(collector, "_labelnames", ()))
        for family in collector.collect():
            more = {"le"} if family.type == "histogram" else set()
            told |= {family.name + suffix: labels | more for suffix in SUFFIXES[family.type]}
    return told


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def told(postgres: DatabaseServer, redis_url: str) -> AsyncIterator[dict[str, set[str]]]:
    """What a running ingest, a running query and a gateway tell."""
    gateway = CollectorRegistry()
    GatewayMetrics(registry=gateway)
    gateway.register(ProcessMetrics())
    async with (
        postgres.database(template=await telemetry_template(postgres)) as database,
        ingest_house(postgres=postgres, database=database, redis_url=redis_url) as ingest,
        query_house(
            database_url=postgres.url(database=database, role="flick_query"),
            owner_url=postgres.url(database=database),
            redis_url=redis_url,
        ) as query,
    ):
        yield told_by(ingest.registry) | told_by(query.registry) | told_by(gateway)


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions() -> Iterable[Any]:
    for path in DASHBOARDS:
        for panel in panels(json.loads(path.read_text())):
            for target in panel["targets"]:
                yield pytest.param(target["expr"], id=f"{path.stem}-{panel['title']}-{target['refId']}")


@pytest.mark.parametrize("expression", list(expressions()))
async def test_every_metric_and_label_is_told_by_a_running_service(expression: str, told: dict[str, set[str]]) -> None:
    asked = read(expression)
    known = set[str]().union(*(told.get(metric, set()) for metric in asked.metrics))

    assert asked.metrics
    assert asked.metrics - told.keys() == set()
    assert asked.labels - known - TARGETS == set()


async def test_every_answer_that_a_sample_can_get_is_subtracted_from_what_was_received(
    told: dict[str, set[str]],
) -> None:
    answers = {name for name in told if re.fullmatch(r"flick_ingest_samples_.*_total", name)}
    asked = {frozenset(read(one.values[0]).metrics) for one in expressions()}

    assert answers in asked


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_have_ids_of_their_own_and_do_not_overlap(path: Path) -> None:
    found = json.loads(path.read_text())["panels"]
    places = [
        (x, y)
        for panel in found
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len({panel["id"] for panel in found}) == len(found)
    assert len(set(places)) == len(places)
    assert all(0 <= x < 24 for x, _ in places)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_legends_name_labels_that_the_expression_keeps(path: Path) -> None:
    for panel in panels(json.loads(path.read_text())):
        for target in panel["targets"]:
            named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))

            assert named <= read(target["expr"]).labels, panel["title"]


@pytest.mark.parametrize(
    "expression",
    ["sum (x", "sum x)", "rate(x[5 apples])", 'x{a="b}', "x & y", "rate", "sum (x})"],
)
def test_what_is_no_expression_is_found(expression: str) -> None:
    with pytest.raises(PromqlError):
        read(expression)


def test_an_expression_is_read() -> None:
    asked = read('sum by (le, job) (rate(a_bucket{code!="0"}[$__rate_interval])) - sum ({__name__=~"a_(b|c)_total"})')

    assert asked.metrics == {"a_bucket", "a_b_total", "a_c_total"}
    assert asked.labels == {"le", "job", "code"}


async def test_prometheus_itself_understands_the_configuration_and_every_expression(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool, which comes with Prometheus")
    rules = [
        {"record": f"one:{number}", "expr": one.values[0].replace("$__rate_interval", "1m")}
        for number, one in enumerate(expressions())
    ]
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "all", "rules": rules}]}))
    for arguments in (["config", f"{DEPLOY}/prometheus/prometheus.yaml"], ["rules", f"{tmp_path}/rules.yaml"]):
        process = await asyncio.create_subprocess_exec(
            *("promtool", "check", *arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()

        assert process.returncode == 0, output.decode()
