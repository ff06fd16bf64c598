"""What the gateway answers over HTTP."""

import asyncio
import json
import re
import socket

import httpx
import psutil
import pytest

from tests.integration.gateway.running import Gateway, run_gateway
from tests.integration.gateway.scripted import EMAIL, PASSWORD, Backends, make_backends, serve_auth
from tests.waiting import until


async def get(gateway: Gateway, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        return await client.get(path, headers=headers)


async def post(gateway: Gateway, path: str, body: object, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        return await client.post(path, json=body, headers=headers)


async def test_a_person_signs_in_and_asks_who_they_are(gateway: Gateway) -> None:
    pair = (await post(gateway, "/api/v1/auth/login", {"email": EMAIL, "password": PASSWORD})).json()
    me = await get(gateway, "/api/v1/auth/me", Authorization=f"Bearer {pair['accessToken']}")

    assert pair["tokenType"] == "Bearer"
    assert me.json()["email"] == EMAIL


async def test_the_callers_own_credential_goes_on_and_none_is_added(gateway: Gateway) -> None:
    token = gateway.backends.accounts.token("ada")

    await get(gateway, "/api/v1/auth/me", Authorization=f"Bearer {token}")
    await get(gateway, "/api/v1/auth/me")

    first, second = gateway.backends.auth.requests
    assert first["authorization"] == f"Bearer {token}"
    assert "authorization" not in second


async def test_a_request_without_a_token_is_refused_by_the_service_and_told_so(gateway: Gateway) -> None:
    answer = await get(gateway, "/api/v1/auth/me")

    assert answer.status_code == 401
    assert answer.json()["code"] == 16


async def test_an_unknown_path_is_a_json_404(gateway: Gateway) -> None:
    answer = await get(gateway, "/api/v2/nothing")

    assert answer.status_code == 404
    assert answer.json() == {"code": 5, "message": "Not Found", "details": []}


async def test_every_answer_carries_the_security_headers_and_no_server_name(gateway: Gateway) -> None:
    for path in ("/healthz", "/docs", "/api/v1/openapi.json", "/api/v1/auth/me", "/nothing"):
        headers = (await get(gateway, path)).headers

        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "server" not in headers
        assert "strict-transport-security" not in headers


async def test_a_request_id_is_kept_where_it_is_sound_and_made_where_not(gateway: Gateway) -> None:
    token = f"Bearer {gateway.backends.accounts.token('ada')}"
    given = await get(gateway, "/api/v1/auth/me", Authorization=token, **{"X-Request-Id": "abc-1"})
    made = await get(gateway, "/api/v1/auth/me", Authorization=token, **{"X-Request-Id": "x" * 500})

    assert given.headers["x-request-id"] == "abc-1"
    assert gateway.backends.auth.requests[0]["x-request-id"] == "abc-1"
    assert re.fullmatch(r"[0-9a-f-]{36}", made.headers["x-request-id"])
    assert gateway.backends.auth.requests[1]["x-request-id"] == made.headers["x-request-id"]


async def test_the_access_log_holds_neither_query_nor_token(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    await get(gateway, "/api/v1/auth/me?access_token=SECRET1", Authorization="Bearer SECRET2")
    async with gateway.socket(subprotocols=["bearer", "SECRET3"]) as socket:
        await socket.wait_closed()

    ours = [record for record in caplog.records if not record.name.startswith(("websockets", "httpx", "httpcore"))]
    lines = "\n".join(str(record.__dict__) for record in ours)
    assert any(record.__dict__.get("path") == "/api/v1/auth/me" for record in ours)
    assert "SECRET" not in lines


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1"])
async def test_a_foreign_page_may_not_change_anything(gateway: Gateway, origin: str) -> None:
    answer = await post(gateway, "/api/v1/auth/login", {"email": EMAIL, "password": PASSWORD}, Origin=origin)

    assert answer.status_code == 403
    assert "FLICK_GATEWAY_ALLOWED_ORIGINS" in answer.json()["message"]


async def test_its_own_page_may_change_things(gateway: Gateway) -> None:
    body = {"email": EMAIL, "password": PASSWORD}
    answer = await post(gateway, "/api/v1/auth/login", body, Origin=gateway.url)

    assert answer.status_code == 200


async def test_a_body_over_the_limit_is_refused(gateway: Gateway) -> None:
    answer = await post(gateway, "/api/v1/auth/login", {"email": "x" * 1_100_000})

    assert answer.status_code == 413


async def test_an_error_keeps_its_details_on_the_way(gateway: Gateway) -> None:
    answer = await get(gateway, "/api/v1/servers/s1/metrics?names=system.uptime")

    assert answer.status_code == 429
    assert {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2s"} in answer.json()["details"]


async def test_health_names_what_is_down(backends: Backends) -> None:
    async with run_gateway(backends) as gateway:
        well = await get(gateway, "/healthz")
    backends.query_address = "127.0.0.1:1"
    async with run_gateway(backends) as gateway:
        ill = await get(gateway, "/healthz")

    assert (well.status_code, well.json()["status"]) == (200, "serving")
    assert ill.status_code == 503
    assert ill.json() == {
        "status": "degraded",
        "backends": {"auth": "serving", "ingest": "serving", "query": "unreachable"},
        "down": ["query"],
    }


async def test_a_service_that_is_down_answers_503_without_its_address() -> None:
    backends = make_backends({})
    backends.query_address = "127.0.0.1:1"
    async with serve_auth(backends), run_gateway(backends) as gateway:
        answer = await get(gateway, "/api/v1/servers:summary")

    assert answer.status_code == 503
    assert "127.0.0.1" not in answer.text


async def test_a_plain_request_to_the_live_socket_is_told_what_it_is(gateway: Gateway) -> None:
    answer = await get(gateway, "/api/v1/ws")

    assert answer.status_code == 426
    assert "WebSocket" in answer.json()["message"]


async def test_the_reference_page_needs_nothing_from_outside(gateway: Gateway) -> None:
    page = await get(gateway, "/docs")

    assert "/api/v1/servers/{server_id}/metrics" in page.text
    assert not re.search(r"<script|<link|<img|@import|url\(", page.text)
    assert re.findall(r'(?:src|href)="(?!#|/)', page.text) == []


async def test_ndjson_streams_what_is_published(gateway: Gateway) -> None:
    headers = {"Authorization": f"Bearer {gateway.backends.accounts.token('ada')}"}
    async with (
        httpx.AsyncClient(base_url=gateway.url, headers=headers) as client,
        client.stream("GET", "/api/v1/servers/s1/metrics:watch") as stream,
    ):
        lines = stream.aiter_lines()
        await anext(lines)
        gateway.backends.query.publish("s1", 0.25)
        line = json.loads(await anext(lines))

    assert line["result"]["values"][0]["value"] == 0.25


async def test_a_connection_that_sends_no_request_is_cut_off(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.http.protocols.HEAD_TIMEOUT_S", 0.2)
    host, port = gateway.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
    try:
        rest = await asyncio.wait_for(reader.read(), timeout=5)
    except ConnectionResetError:
        rest = b""
    writer.close()

    assert rest == b""


async def test_a_client_that_takes_nothing_of_its_answers_is_cut_off(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.http.protocols.HEAD_TIMEOUT_S", 0.2)
    host, port = gateway.address.split(":")
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, (host, int(port)))
        wanted = 300  # more than the kernel's buffers hold
        await asyncio.get_running_loop().sock_sendall(client, b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n" * wanted)
        mine = client.getsockname()

        await until(lambda: not _is_served(mine))
    assert gateway.metric("flick_gateway_requests_total", method="GET", status="200") < wanted


def _is_served(client: tuple[str, int]) -> bool:
    """Whether the gateway still holds the connection from this address."""
    connections = psutil.Process().net_connections(kind="tcp4")
    return any(one.raddr == client and one.status == psutil.CONN_ESTABLISHED for one in connections)


async def test_requests_are_counted(gateway: Gateway) -> None:
    await get(gateway, "/healthz")

    assert gateway.metric("flick_gateway_requests_total", method="GET", status="200") == 1
    assert gateway.metric("flick_gateway_requests_in_flight") == 0


@pytest.mark.parametrize("path", ["/healthz", "/docs", "/api/v1/openapi.json", "/api/v1/ws"])
@pytest.mark.parametrize("method", ["POST", "DELETE", "TRACE"])
async def test_a_path_of_the_gateways_own_takes_no_other_method(gateway: Gateway, path: str, method: str) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        answer = await client.request(method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert answer.json() == {"code": 12, "message": "Method Not Allowed", "details": []}
