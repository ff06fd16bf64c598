"""The edges of a call: bodies too large or too slow, deadlines, clients that leave, raw bytes, hosts around it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.empty_pb2 import Empty

from gateway.transcode import Options, Transcoder
from tests.integration.transcode.library import Backend, serving
from tests.integration.transcode.web import on_a_port
from tests.waiting import until

SMALL = Options(max_body_bytes=200, body_timeout_s=0.2, default_timeout_s=0.3)


async def _forever(_request: Any, _context: Any) -> Any:
    await asyncio.Event().wait()


async def _echo(request: Any, _context: Any) -> Any:
    return request


async def _cover(_request: Any, _context: Any) -> Any:
    return HttpBody(content_type="image/png", data=b"\x89PNG\n")


async def _accept(_request: Any, _context: Any) -> Any:
    return Empty()


@pytest_asyncio.fixture(loop_scope="session")
async def edge() -> Backend:
    return Backend(GetBook=_forever, Echo=_echo, GetCover=_cover, PutCover=_accept)


@pytest_asyncio.fixture(loop_scope="session")
async def web(edge: Backend) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(edge, SMALL) as app, on_a_port(app) as url, httpx.AsyncClient(base_url=url) as client:
        yield client


async def test_a_body_that_says_it_is_too_large_is_a_413(web: httpx.AsyncClient) -> None:
    response = await web.post("/v1/echo", content=b" " * 201)

    assert response.status_code == 413
    assert response.json()["message"] == "the request body is larger than 200 bytes"


async def test_a_body_that_grows_too_large_is_a_413(web: httpx.AsyncClient, edge: Backend) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * 100

    response = await web.post("/v1/echo", content=chunks())

    assert response.status_code == 413
    assert edge.calls == []


async def test_a_body_of_the_largest_size_is_read(web: httpx.AsyncClient) -> None:
    response = await web.post("/v1/echo", content=b'{"boolValue":true}'.ljust(200))

    assert response.json()["boolValue"] is True


async def test_a_body_that_does_not_come_is_a_408(web: httpx.AsyncClient) -> None:
    reader, writer = await asyncio.open_connection(web.base_url.host, web.base_url.port)
    writer.write(b"POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{")
    async with asyncio.timeout(5):
        status = await reader.readline()
    writer.close()

    assert status.startswith(b"HTTP/1.1 408")


async def test_a_call_without_a_deadline_of_its_own_has_the_default(web: httpx.AsyncClient) -> None:
    response = await web.get("/v1/books/1")

    assert response.status_code == 504
    assert response.json()["code"] == 4


async def test_the_requests_deadline_reaches_the_service(web: httpx.AsyncClient, edge: Backend) -> None:
    left: list[float] = []

    async def handler(request: Any, context: Any) -> Any:
        left.append(context.time_remaining())
        return request

    edge.handlers["Echo"] = handler
    await web.get("/v1/echo", headers={"grpc-timeout": "100S"})

    assert 90 < left[0] <= 101  # gRPC rounds a timeout up when it writes it in few digits


async def test_a_broken_deadline_is_a_400(web: httpx.AsyncClient) -> None:
    response = await web.get("/v1/echo", headers={"grpc-timeout": "soon"})

    assert response.status_code == 400
    assert "invalid grpc-timeout" in response.json()["message"]


async def test_a_client_that_leaves_cancels_the_call() -> None:
    backend = Backend(GetBook=_forever)
    async with serving(backend) as app, on_a_port(app) as url, httpx.AsyncClient(base_url=url) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/v1/books/1", timeout=0.2)
        async with asyncio.timeout(1):
            await backend.cancelled.wait()

    assert backend.calls[0][0] == "GetBook"


async def test_a_client_that_leaves_behind_a_body_that_nobody_reads_cancels_the_call() -> None:
    backend = Backend(talks=True, Visit=_forever)
    async with serving(backend) as app, on_a_port(app) as url, httpx.AsyncClient(base_url=url) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/v1/visits", content=b"x" * 300_000, timeout=0.5)
        async with asyncio.timeout(1):
            await backend.cancelled.wait()

    assert backend.calls[0][0] == "Visit"


async def test_the_transcoders_own_cancellation_is_not_swallowed() -> None:
    backend = Backend(GetBook=_forever)
    scope = {"type": "http", "method": "GET", "raw_path": b"/v1/books/1", "path": "/", "headers": []}

    async def receive() -> Any:
        if not received:
            received.append(True)
            return {"type": "http.request", "body": b"", "more_body": False}
        return await asyncio.Event().wait()

    async def send(_event: Any) -> None:
        raise AssertionError("nothing is answered")

    received: list[bool] = []
    async with serving(backend) as app:
        request = asyncio.create_task(app(scope, receive, send))
        await until(lambda: backend.calls, within_s=5)  # the server says nothing when a call arrives
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        async with asyncio.timeout(1):
            await backend.cancelled.wait()


async def test_raw_bytes_come_with_their_own_content_type(web: httpx.AsyncClient) -> None:
    response = await web.get("/v1/books/1/cover")

    assert (response.headers["content-type"], response.content) == ("image/png", b"\x89PNG\n")


async def test_raw_bytes_are_taken_as_they_are(web: httpx.AsyncClient, edge: Backend) -> None:
    response = await web.put("/v1/books/1/cover", content=b"\x00\xff", headers={"content-type": "image/gif"})
    _, request, _ = edge.calls[-1]

    assert response.status_code == 200
    assert (request.book_id, request.cover.data, request.cover.content_type) == ("1", b"\x00\xff", "image/gif")


async def test_fastapi_hosts_it_beside_its_own_routes(http: httpx.AsyncClient, transcoder: Transcoder) -> None:
    host = FastAPI(redirect_slashes=False)
    host.add_api_route("/healthz", lambda: {"status": "SERVING"})
    host.mount("/", transcoder)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=host), base_url="http://x") as client:
        own, ours, verb = [await client.get(path) for path in ("/healthz", "/v1/books/a%2Fb", "/v1/books:titles")]

    assert own.json() == {"status": "SERVING"}
    assert ours.json()["bookId"] == "a/b"
    assert verb.json() == []


async def test_one_field_may_be_the_whole_answer(http: httpx.AsyncClient) -> None:
    titles = await http.get("/v1/books:titles?pageSize=2")
    first = await http.get("/v1/books:first?pageSize=1")
    none = await http.get("/v1/books:first")

    assert titles.json() == ["0", "1"]
    assert first.json()["bookId"] == "0"
    assert none.json() is None


async def test_a_websocket_is_closed_where_the_host_wants_none(backend: Backend) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(event: Any) -> None:
        sent.append(event)

    async with serving(backend, Options(serve_websockets=False)) as app:
        await app({"type": "websocket", "path": "/v1/x", "headers": []}, receive, send)

    assert sent == [{"type": "websocket.close", "code": 1000}]


async def test_metadata_reaches_the_service(http: httpx.AsyncClient, backend: Backend) -> None:
    await http.get(
        "/v1/books/1", headers={"Authorization": "Bearer t", "X-Request-Id": "r", "Grpc-Metadata-Lang": "ko"}
    )
    metadata = backend.last_metadata

    assert (metadata["authorization"], metadata["x-request-id"], metadata["lang"]) == (["Bearer t"], ["r"], ["ko"])
    assert (metadata["x-forwarded-for"], metadata["x-forwarded-host"]) == (["192.0.2.7"], ["books.example"])
