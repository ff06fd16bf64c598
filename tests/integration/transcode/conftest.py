"""The library served for every test, with handlers that do what their names say."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest_asyncio
from google.protobuf.empty_pb2 import Empty

from gateway.transcode import Transcoder
from tests.integration.transcode.library import Backend, serving
from tests.unit.transcode.contract import make

Context = Any


async def _get_book(request: Any, context: Context) -> Any:
    if request.book_id == "unknown":
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such book")
    return make("Book", book_id=request.book_id or request.name, title="Dune", loans=7)


async def _favourite(_request: Any, _context: Context) -> Any:
    return make("Book", book_id="favourite", title="Momo")


async def _list(request: Any, _context: Context) -> Any:
    books = [make("Book", book_id=str(number)) for number in range(request.page_size)]
    return make(
        "ListBooksResponse", books=books, titles=[book.book_id for book in books], first=books[0] if books else None
    )


async def _create(request: Any, context: Context) -> Any:
    await context.send_initial_metadata((("x-http-code", "201"), ("location", "/v1/books/9")))
    return request.book


async def _update(request: Any, _context: Context) -> Any:
    return make("Book", book_id=request.book.book_id, title=request.book.title, mask=request.update_mask.paths)


async def _delete(_request: Any, context: Context) -> Any:
    await context.send_initial_metadata((("x-http-code", "204"),))
    return Empty()


async def _lend(request: Any, _context: Context) -> Any:
    return make("Loan", book_id=request.book_id, reader=request.reader, due={"seconds": 100 + request.period.seconds})


async def _echo(request: Any, _context: Context) -> Any:
    return request


@pytest_asyncio.fixture(loop_scope="session")
async def backend() -> Backend:
    """The library's server; tests may change its handlers."""
    return Backend(
        GetBook=_get_book,
        GetFavourite=_favourite,
        ListBooks=_list,
        CreateBook=_create,
        UpdateBook=_update,
        DeleteBook=_delete,
        LendBook=_lend,
        Echo=_echo,
    )


@pytest_asyncio.fixture(loop_scope="session")
async def transcoder(backend: Backend) -> AsyncIterator[Transcoder]:
    """The transcoder in front of `backend`."""
    async with serving(backend) as app:
        yield app


@pytest_asyncio.fixture(loop_scope="session")
async def http(transcoder: Transcoder) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the transcoder, without a network between."""
    transport = httpx.ASGITransport(app=transcoder, client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://books.example") as client:
        yield client
