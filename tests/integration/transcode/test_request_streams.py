"""Bodies that are many messages: streams of requests with one answer or many, over a real connection."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio
from google.protobuf.wrappers_pb2 import StringValue

from gateway.transcode import Options
from tests.integration.transcode.library import Backend, serving
from tests.integration.transcode.web import conversation, on_a_port
from tests.waiting import until

LIMIT_BYTES = 2000


@pytest_asyncio.fixture(loop_scope="session")
async def talks() -> Backend:
    backend = Backend(talks=True)

    async def add(books: Any, _context: Any) -> Any:
        return backend.make("ListBooksResponse", titles=[book.title async for book in books])

    async def discuss(chapters: Any, _context: Any) -> AsyncIterator[Any]:
        async for chapter in chapters:
            yield chapter

    async def upload(pieces: Any, _context: Any) -> Any:
        kept = [(piece.content_type, piece.data) async for piece in pieces]
        return backend.make("Book", title=kept[0][0], loans=sum(len(data) for _, data in kept))

    async def shout(words: Any, _context: Any) -> Any:
        return StringValue(value=" ".join([word.value async for word in words]).upper())

    backend.handlers = {"AddBooks": add, "Discuss": discuss, "Upload": upload, "Shout": shout}
    return backend


@pytest_asyncio.fixture(loop_scope="session")
async def web(talks: Backend) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(talks, Options(max_body_bytes=LIMIT_BYTES)) as app,
        on_a_port(app) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        yield client


@pytest.mark.parametrize(
    "body",
    [
        '{"title":"a"}\n{"title":"b"}\n',
        '{"title":"a"}{"title":"b"}',
        '  {"title":\n"a"}\r\n\r\n\t{"title":"b"}  ',
    ],
)
async def test_values_one_behind_the_other_are_one_message_each(web: httpx.AsyncClient, body: str) -> None:
    response = await web.post("/v1/books:add", content=body)

    assert response.json()["titles"] == ["a", "b"]


@pytest.mark.parametrize("body", ["", " \n "])
async def test_an_empty_body_is_no_message(web: httpx.AsyncClient, body: str) -> None:
    response = await web.post("/v1/books:add", content=body)

    assert (response.status_code, response.json()["titles"]) == (200, [])


async def test_response_body_applies_to_the_one_answer(web: httpx.AsyncClient) -> None:
    response = await web.post("/v1/books:addTitles?ignored=1", content='{"title":"a"}')

    assert response.json() == ["a"]


async def test_messages_may_be_bare_values(web: httpx.AsyncClient) -> None:
    response = await web.post("/v1/shout", content='"a" "b""c"')

    assert response.json() == "A B C"


@pytest.mark.parametrize(
    ("body", "field"),
    [('{"title":"a"}{"title":1}', "title"), ('{"title":"a"}]', ""), ('{"title":"a"} {"title', ""), ("nonsense", "")],
)
async def test_a_broken_message_is_a_400_and_ends_the_call(
    web: httpx.AsyncClient, talks: Backend, body: str, field: str
) -> None:
    response = await web.post("/v1/books:add", content=body)

    assert (response.status_code, response.json()["code"]) == (400, 3)
    assert response.json()["details"][0]["fieldViolations"][0]["field"] == field


@pytest.mark.parametrize("body", [b'{"title":"' + b"x" * LIMIT_BYTES, b'{"title":"' + b"x" * LIMIT_BYTES + b'"}'])
async def test_one_message_over_the_limit_is_a_413(web: httpx.AsyncClient, body: bytes) -> None:
    response = await web.post("/v1/books:add", content=body)

    assert response.status_code == 413


async def test_a_body_of_many_small_messages_may_exceed_the_limit(web: httpx.AsyncClient) -> None:
    response = await web.post("/v1/books:add", content=b'{"title":"x"}\n' * LIMIT_BYTES)

    assert len(response.json()["titles"]) == LIMIT_BYTES


async def test_a_service_that_refuses_early_does_not_wait_for_the_rest(web: httpx.AsyncClient, talks: Backend) -> None:
    async def refuse(_books: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "the shelf is full")

    talks.handlers["AddBooks"] = refuse
    async with asyncio.timeout(5), conversation(str(web.base_url), "/v1/books:add") as talk:
        await talk.say(b'{"title":"a"}')
        status = await talk.head()

    assert status == 429


async def test_an_upload_is_passed_on_in_pieces_as_it_is(web: httpx.AsyncClient) -> None:
    response = await web.post("/v1/scans", content=b"\x00\xff\n" * 100, headers={"content-type": "image/tiff"})

    assert (response.json()["title"], response.json()["loans"]) == ("image/tiff", "300")


async def test_answers_come_while_requests_go(web: httpx.AsyncClient) -> None:
    async with asyncio.timeout(5), conversation(str(web.base_url), "/v1/discussion") as talk:
        await talk.say(b'{"number":1}')
        status, first = await talk.head(), await talk.hear()
        await talk.say(b'{"number":2}{"numb')
        second = await talk.hear()
        await talk.say(b'er":3}')
        third = await talk.hear()
        await talk.say(b"")
        end = await talk.chunk()

    assert (status, end) == (200, b"")
    assert [line["result"]["number"] for line in (first, second, third)] == [1, 2, 3]


async def test_a_broken_message_behind_answers_is_the_last_line(web: httpx.AsyncClient) -> None:
    async with asyncio.timeout(5), conversation(str(web.base_url), "/v1/discussion") as talk:
        await talk.say(b'{"number":1}')
        await talk.head()
        await talk.hear()
        await talk.say(b'{"number":"x"}')
        last = await talk.hear()

    assert last["error"]["code"] == 3


async def test_a_broken_first_message_of_a_conversation_is_a_400(web: httpx.AsyncClient) -> None:
    response = await web.post("/v1/discussion", content=b'{"number":true}')

    assert (response.status_code, response.json()["code"]) == (400, 3)


@pytest.mark.parametrize("path", ["/v1/books:add", "/v1/discussion"])
async def test_a_client_that_leaves_in_the_middle_cancels_the_call(talks: Backend, path: str) -> None:
    ended = asyncio.Event()

    async def listen(requests: Any, _context: Any) -> Any:
        try:
            async for _ in requests:
                pass
        finally:
            ended.set()
        return talks.make("ListBooksResponse")

    async def discuss(requests: Any, context: Any) -> AsyncIterator[Any]:
        await listen(requests, context)
        return
        yield  # makes this a generator

    talks.handlers |= {"AddBooks": listen, "Discuss": discuss}
    async with serving(talks) as app, on_a_port(app) as url, conversation(url, path) as talk:
        await talk.say(b'{"number":1}')
        await until(lambda: any(seen for _, seen, _ in talks.calls), within_s=5)
        talk.leave()
        async with asyncio.timeout(1):
            await ended.wait()
