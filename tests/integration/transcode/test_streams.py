"""Server streams over a real connection: lines of JSON and server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio
from google.api.httpbody_pb2 import HttpBody

from gateway.transcode import Options
from tests.integration.transcode.library import Backend, serving
from tests.integration.transcode.web import on_a_port
from tests.unit.transcode.contract import make


async def _chapters(request: Any, context: Any) -> AsyncIterator[Any]:
    if request.book_id == "forbidden":
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not yours")
    for number in (1, 2):
        yield make("Chapter", number=number, title=f"Part {number}")
    if request.book_id == "torn":
        await context.abort(grpc.StatusCode.DATA_LOSS, "the rest is missing")
    if request.book_id == "endless":
        await asyncio.Event().wait()


async def _nothing(_request: Any, _context: Any) -> AsyncIterator[Any]:
    return
    yield  # makes this a generator


async def _scan(request: Any, context: Any) -> AsyncIterator[Any]:
    yield HttpBody(content_type="image/tiff", data=b"\x00\x01")
    if request.book_id == "torn":
        await context.abort(grpc.StatusCode.DATA_LOSS, "the rest is missing")
    yield HttpBody(data=b"\n\x02")


@pytest_asyncio.fixture(loop_scope="session")
async def streaming() -> Backend:
    return Backend(ReadBook=_chapters, GetScan=_scan)


@pytest_asyncio.fixture(loop_scope="session")
async def web(streaming: Backend) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(streaming, Options(sse_keepalive_s=0.05)) as app,
        on_a_port(app) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        yield client


async def test_each_message_is_a_line_with_its_result(web: httpx.AsyncClient) -> None:
    response = await web.get("/v1/books/1/chapters")

    assert response.headers["content-type"] == "application/json"
    assert response.text == ('{"result":{"number":1,"title":"Part 1"}}\n{"result":{"number":2,"title":"Part 2"}}\n')


async def test_who_accepts_ndjson_gets_the_lines_under_that_name(web: httpx.AsyncClient) -> None:
    response = await web.get("/v1/books/1/chapters", headers={"Accept": "application/x-ndjson"})

    assert response.headers["content-type"] == "application/x-ndjson"
    assert len(response.text.splitlines()) == 2


async def test_response_body_applies_inside_the_result(web: httpx.AsyncClient) -> None:
    response = await web.get("/v1/books/1/chapters:titles")

    assert response.text == '{"result":"Part 1"}\n{"result":"Part 2"}\n'


async def test_an_error_after_the_first_message_is_the_last_line(web: httpx.AsyncClient) -> None:
    response = await web.get("/v1/books/torn/chapters")
    lines = [json.loads(line) for line in response.text.splitlines()]

    assert response.status_code == 200
    assert lines[2:] == [{"error": {"code": 15, "message": "the rest is missing", "details": []}}]


async def test_an_error_before_the_first_message_has_its_http_status(web: httpx.AsyncClient) -> None:
    response = await web.get("/v1/books/forbidden/chapters")

    assert response.status_code == 403
    assert response.json() == {"error": {"code": 7, "message": "not yours", "details": []}}


async def test_an_empty_stream_has_an_empty_body_and_no_content_type(
    web: httpx.AsyncClient, streaming: Backend
) -> None:
    streaming.handlers["ReadBook"] = _nothing
    response = await web.get("/v1/books/1/chapters")

    assert (response.status_code, response.content) == (200, b"")
    assert "content-type" not in response.headers


async def test_messages_arrive_while_the_stream_is_open(web: httpx.AsyncClient) -> None:
    async with asyncio.timeout(5), web.stream("GET", "/v1/books/endless/chapters") as response:
        lines = response.aiter_lines()

        assert json.loads(await anext(lines))["result"]["number"] == 1


async def test_a_client_that_leaves_a_stream_cancels_the_call(web: httpx.AsyncClient, streaming: Backend) -> None:
    async with web.stream("GET", "/v1/books/endless/chapters") as response:
        await anext(response.aiter_lines())
    async with asyncio.timeout(1):
        await streaming.cancelled.wait()


async def test_server_sent_events_carry_the_same_lines_and_say_when_it_ends(web: httpx.AsyncClient) -> None:
    response = await web.get("/v1/books/1/chapters", headers={"accept": "text/event-stream"})

    assert response.headers["content-type"] == "text/event-stream"
    assert response.text == (
        'data: {"result":{"number":1,"title":"Part 1"}}\n\n'
        'data: {"result":{"number":2,"title":"Part 2"}}\n\n'
        "event: end\ndata: {}\n\n"
    )


async def test_a_silent_event_stream_is_kept_open_by_comments(web: httpx.AsyncClient) -> None:
    headers = {"accept": "text/event-stream"}
    async with asyncio.timeout(5), web.stream("GET", "/v1/books/endless/chapters", headers=headers) as response:
        seen = [line async for line in _until(response.aiter_lines(), ": keep-alive")]

    assert seen[-1] == ": keep-alive"


async def test_an_error_in_an_event_stream_is_its_last_event(web: httpx.AsyncClient) -> None:
    response = await web.get("/v1/books/torn/chapters", headers={"accept": "text/event-stream"})

    assert response.text.endswith('data: {"error":{"code":15,"message":"the rest is missing","details":[]}}\n\n')


async def test_a_raw_stream_is_passed_on_byte_for_byte(web: httpx.AsyncClient) -> None:
    response = await web.get("/v1/books/1/scan")

    assert response.headers["content-type"] == "image/tiff"
    assert response.content == b"\x00\x01\n\x02"


async def test_a_torn_raw_stream_breaks_the_connection(web: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await web.get("/v1/books/torn/scan")


async def test_a_stream_past_its_deadline_ends_with_a_line_that_says_so(web: httpx.AsyncClient) -> None:
    response = await web.get("/v1/books/endless/chapters", headers={"grpc-timeout": "200m"})

    assert json.loads(response.text.splitlines()[-1])["error"]["code"] == 4


async def _until(lines: AsyncIterator[str], last: str) -> AsyncIterator[str]:
    async for line in lines:
        yield line
        if line == last:
            return
