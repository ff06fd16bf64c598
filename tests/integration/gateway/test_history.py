"""History over HTTP: several servers by GET and POST, and files."""

from urllib.parse import urlencode

import httpx

from flick.v1 import query_pb2
from tests.integration.gateway.running import Gateway


async def test_several_servers_are_asked_for_by_get_and_by_post_alike(gateway: Gateway) -> None:
    query = [
        ("serverIds", "s1"),
        ("serverIds", "s2"),
        ("names", "a.b"),
        ("labels[disk]", "sda"),
        ("aggregation", "FLEET_AGGREGATION_QUANTILES"),
        ("quantiles", "0.5"),
        ("quantiles", "0.95"),
        ("compareOffset", "86400s"),
        ("timeZone", "Europe/Berlin"),
    ]
    body = {
        "serverIds": ["s1", "s2"],
        "names": ["a.b"],
        "labels": {"disk": "sda"},
        "aggregation": "FLEET_AGGREGATION_QUANTILES",
        "quantiles": [0.5, 0.95],
        "compareOffset": "86400s",
        "timeZone": "Europe/Berlin",
    }
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        statuses = [
            (await client.get(f"/api/v1/metrics:query?{urlencode(query)}")).status_code,
            (await client.post("/api/v1/metrics:query", json=body)).status_code,
        ]
    by_get, by_post = gateway.backends.query.fleets_asked

    assert statuses == [200, 200]
    assert by_get == by_post
    assert list(by_get.server_ids) == ["s1", "s2"]
    assert dict(by_get.labels) == {"disk": "sda"}
    assert by_get.aggregation == query_pb2.FLEET_AGGREGATION_QUANTILES


async def test_a_file_comes_as_it_is(gateway: Gateway) -> None:
    gateway.backends.query.pieces = [b"time,a [1]\r\n", b"2026-01-01T00:00:00+00:00,0.5\r\n"]
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        answer = await client.get("/api/v1/servers/s1/metrics:export", params={"names": "a", "format": "csv"})

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content == b"".join(gateway.backends.query.pieces)
