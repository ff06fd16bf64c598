"""Routes over WebSocket: a frame is a line of the body, a line of the answer is a frame."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.api.httpbody_pb2 import HttpBody
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from gateway.transcode import Options
from tests.integration.transcode.library import Backend, serving
from tests.integration.transcode.web import on_a_port


@pytest_asyncio.fixture(loop_scope="session")
async def talks() -> Backend:
    backend = Backend(talks=True)

    async def discuss(chapters: Any, _context: Any) -> AsyncIterator[Any]:
        async for chapter in chapters:
            yield chapter

    async def add(books: Any, _context: Any) -> Any:
        return backend.make("ListBooksResponse", titles=[book.title async for book in books])

    async def read(request: Any, context: Any) -> AsyncIterator[Any]:
        for number in (1, 2):
            yield backend.make("Chapter", number=number)
        if request.book_id == "torn":
            await context.abort(grpc.StatusCode.DATA_LOSS, "the rest is missing")
        if request.book_id == "endless":
            await asyncio.Event().wait()

    async def scan(_request: Any, _context: Any) -> AsyncIterator[Any]:
        yield HttpBody(content_type="image/tiff", data=b"\x00\xff")

    async def visit(request: Any, _context: Any) -> Any:
        return request

    backend.handlers = {"Discuss": discuss, "AddBooks": add, "Read": read, "Scan": scan, "Visit": visit}
    return backend


@pytest_asyncio.fixture(loop_scope="session")
async def address(talks: Backend) -> AsyncIterator[str]:
    async with serving(talks, Options(max_body_bytes=1000)) as app, on_a_port(app) as url:
        yield url.replace("http://", "ws://")


async def frames(socket: ClientConnection) -> list[Any]:
    """All frames until the other side closes."""
    return [json.loads(frame) async for frame in socket]


async def test_a_conversation_is_a_frame_for_a_frame(address: str) -> None:
    async with asyncio.timeout(5), connect(f"{address}/v1/discussion?method=POST") as socket:
        await socket.send('{"number":1}')
        first = json.loads(await socket.recv())
        await socket.send(b'{"number":2}')
        second = json.loads(await socket.recv())

    assert [first["result"]["number"], second["result"]["number"]] == [1, 2]


async def test_an_empty_frame_ends_the_requests(address: str) -> None:
    async with asyncio.timeout(5), connect(f"{address}/v1/books:add?method=POST") as socket:
        for frame in ('{"title":"a"}', '{"title":"b"}', ""):
            await socket.send(frame)
        answer = await frames(socket)

    assert [line["titles"] for line in answer] == [["a", "b"]]
    assert socket.close_code == 1000


async def test_a_stream_of_answers_needs_no_frame(address: str) -> None:
    async with asyncio.timeout(5), connect(f"{address}/v1/readings/7") as socket:
        answer = await frames(socket)

    assert [line["result"]["number"] for line in answer] == [1, 2]


async def test_an_error_in_a_stream_is_its_last_frame(address: str) -> None:
    async with asyncio.timeout(5), connect(f"{address}/v1/readings/torn") as socket:
        answer = await frames(socket)

    assert answer[-1]["error"] == {"code": 15, "message": "the rest is missing", "details": []}


async def test_a_request_that_is_one_message_is_complete_with_its_first_frame(address: str) -> None:
    async with asyncio.timeout(5), connect(f"{address}/v1/visits?method=PATCH&stringValue=q") as socket:
        await socket.send('{"int32Value":5}')
        answer = await frames(socket)

    assert (answer[0]["child"]["int32Value"], answer[0]["stringValue"]) == (5, "q")


async def test_bytes_that_are_no_text_are_a_binary_frame(address: str) -> None:
    async with asyncio.timeout(5), connect(f"{address}/v1/scans/7") as socket:
        frame = await socket.recv()

    assert frame == b"\x00\xff"


@pytest.mark.parametrize(
    ("path", "code"), [("/v1/nothing", 5), ("/v1/discussion", 12), ("/v1/visits/7?method=PUT&nonsense=1", 3)]
)
async def test_a_request_that_is_refused_is_told_in_a_frame(address: str, path: str, code: int) -> None:
    async with asyncio.timeout(5), connect(f"{address}{path}") as socket:
        answer = await frames(socket)

    assert [line["code"] for line in answer] == [code]


async def test_a_frame_over_the_limit_is_refused(address: str) -> None:
    async with asyncio.timeout(5), connect(f"{address}/v1/discussion?method=POST") as socket:
        await socket.send('"' + "x" * 1000 + '"')
        answer = await frames(socket)

    assert answer[0]["message"] == "the request body is larger than 1000 bytes"


async def test_a_token_comes_as_subprotocol_or_in_a_cookie_which_wins(address: str, talks: Backend) -> None:
    token = [Subprotocol("Bearer"), Subprotocol("abc")]
    async with asyncio.timeout(5), connect(f"{address}/v1/visits", subprotocols=token) as socket:
        await frames(socket)
        spoken = socket.subprotocol
    by_protocol = talks.last_metadata["authorization"]
    headers = {"Cookie": "a=b; token=xyz"}
    async with (
        asyncio.timeout(5),
        connect(f"{address}/v1/visits", subprotocols=token, additional_headers=headers) as socket,
    ):
        await frames(socket)

    assert (spoken, by_protocol) == ("Bearer", ["Bearer abc"])
    assert talks.last_metadata["authorization"] == ["Bearer xyz"]


async def test_of_the_headers_only_those_of_the_page_go_on(address: str, talks: Backend) -> None:
    headers = {"Referer": "http://x/", "Accept-Language": "ko", "Grpc-Metadata-A": "b"}
    async with asyncio.timeout(5), connect(f"{address}/v1/visits", additional_headers=headers) as socket:
        await frames(socket)
    seen = talks.last_metadata

    assert seen["grpcgateway-referer"] == ["http://x/"]
    assert not {"grpcgateway-accept-language", "a"} & seen.keys()


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://{host}", "http://{host}.evil.example"])
async def test_pages_of_other_sites_are_refused(address: str, talks: Backend, origin: str) -> None:
    host = address.removeprefix("ws://")
    with pytest.raises(InvalidStatus):
        async with connect(f"{address}/v1/visits", origin=Origin(origin.format(host=host))):
            pass

    assert talks.calls == []


async def test_pages_of_the_same_host_may_open_it(address: str) -> None:
    origin = Origin(address.replace("ws://", "http://"))
    async with asyncio.timeout(5), connect(f"{address}/v1/visits", origin=origin) as socket:
        answer = await frames(socket)

    assert len(answer) == 1


async def test_the_host_may_admit_others(talks: Backend) -> None:
    options = Options(admit_origin=lambda scope: (b"origin", b"http://friend.example") in scope["headers"])
    async with serving(talks, options) as app, on_a_port(app) as url:
        there = url.replace("http://", "ws://") + "/v1/visits"
        async with asyncio.timeout(5), connect(there, origin=Origin("http://friend.example")) as socket:
            answer = await frames(socket)
        with pytest.raises(InvalidStatus):
            async with connect(there):
                pass

    assert len(answer) == 1


async def test_a_viewer_that_leaves_cancels_the_call(address: str, talks: Backend) -> None:
    async with asyncio.timeout(5), connect(f"{address}/v1/readings/endless") as socket:
        await socket.recv()
    async with asyncio.timeout(1):
        await talks.cancelled.wait()


async def test_a_service_that_breaks_off_raw_bytes_breaks_the_socket(address: str, talks: Backend) -> None:
    async def torn(_request: Any, context: Any) -> AsyncIterator[Any]:
        yield HttpBody(data=b"a\n")
        await context.abort(grpc.StatusCode.DATA_LOSS, "the rest is missing")

    talks.handlers["Scan"] = torn
    async with asyncio.timeout(5), connect(f"{address}/v1/scans/7") as socket:
        first = await socket.recv()
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    assert first == "a"
    assert socket.close_code == 1011
