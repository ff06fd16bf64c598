"""What clients see when something is wrong: with the request, in the service, or between."""

import asyncio
import logging
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from gateway.transcode import Transcoder
from tests.integration.transcode.library import SERVICE, Backend
from tests.unit.transcode import contract
from tests.unit.transcode.contract import make


def failing(code: grpc.StatusCode, text: str) -> Any:
    """A handler that ends with this status."""

    async def handler(_request: Any, context: Any) -> Any:
        await context.abort(code, text)

    return handler


def failing_with(status: status_pb2.Status) -> Any:
    """A handler that ends with a rich status."""

    async def handler(_request: Any, context: Any) -> Any:
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        await context.abort(grpc.StatusCode.NOT_FOUND, status.message)

    return handler


@pytest.mark.parametrize(
    ("code", "http_status"),
    [
        (grpc.StatusCode.CANCELLED, 499),
        (grpc.StatusCode.UNKNOWN, 500),
        (grpc.StatusCode.INVALID_ARGUMENT, 400),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 504),
        (grpc.StatusCode.NOT_FOUND, 404),
        (grpc.StatusCode.ALREADY_EXISTS, 409),
        (grpc.StatusCode.PERMISSION_DENIED, 403),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
        (grpc.StatusCode.FAILED_PRECONDITION, 400),
        (grpc.StatusCode.ABORTED, 409),
        (grpc.StatusCode.OUT_OF_RANGE, 400),
        (grpc.StatusCode.UNIMPLEMENTED, 501),
        (grpc.StatusCode.INTERNAL, 500),
        (grpc.StatusCode.UNAVAILABLE, 503),
        (grpc.StatusCode.DATA_LOSS, 500),
        (grpc.StatusCode.UNAUTHENTICATED, 401),
    ],
)
async def test_every_status_has_its_http_status(
    http: httpx.AsyncClient, backend: Backend, code: grpc.StatusCode, http_status: int
) -> None:
    backend.handlers["GetBook"] = failing(code, "because")
    response = await http.get("/v1/books/1")

    assert response.status_code == http_status
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"code": code.value[0], "message": "because", "details": []}


async def test_details_are_expanded(http: httpx.AsyncClient, backend: Backend) -> None:
    status = status_pb2.Status(code=5, message="gone")
    status.details.add().Pack(error_details_pb2.ResourceInfo(resource_name="books/1"))
    packed = any_pb2.Any()
    packed.Pack(make("Chapter", number=2))
    status.details.append(packed)
    backend.handlers["GetBook"] = failing_with(status)
    response = await http.get("/v1/books/1")

    assert response.status_code == 404
    assert response.json()["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.ResourceInfo",
            "resourceType": "",
            "resourceName": "books/1",
            "owner": "",
            "description": "",
        },
        {"@type": "type.googleapis.com/library.v1.Chapter", "number": 2, "title": ""},
    ]


async def test_details_of_an_unknown_type_have_a_fixed_answer(http: httpx.AsyncClient, backend: Backend) -> None:
    status = status_pb2.Status(code=5, message="gone", details=[any_pb2.Any(type_url="x.io/no.such.Type", value=b"1")])
    backend.handlers["GetBook"] = failing_with(status)
    response = await http.get("/v1/books/1")

    assert response.status_code == 500
    assert response.json() == {"code": 13, "message": "failed to marshal error message"}


async def test_a_401_says_how_to_authenticate(http: httpx.AsyncClient, backend: Backend) -> None:
    backend.handlers["GetBook"] = failing(grpc.StatusCode.UNAUTHENTICATED, "Bearer\nrealm=books")
    response = await http.get("/v1/books/1")

    assert response.headers["www-authenticate"] == "Bearer realm=books"


async def test_header_metadata_travels_on_errors_too(http: httpx.AsyncClient, backend: Backend) -> None:
    async def handler(_request: Any, context: Any) -> Any:
        await context.send_initial_metadata((("retry-hint", "5"),))
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down")

    backend.handlers["GetBook"] = handler
    response = await http.get("/v1/books/1")

    assert (response.status_code, response.headers["grpc-metadata-retry-hint"]) == (429, "5")


async def test_an_unknown_path_is_a_404(http: httpx.AsyncClient) -> None:
    response = await http.get("/v2/books")

    assert response.status_code == 404
    assert response.json() == {"code": 5, "message": "Not Found", "details": []}


@pytest.mark.parametrize("method", ["PUT", "HEAD", "OPTIONS"])
async def test_another_method_is_a_405_with_those_allowed(http: httpx.AsyncClient, method: str) -> None:
    response = await http.request(method, "/v1/books/1")

    assert response.status_code == 405
    assert response.headers["allow"] == "DELETE, GET, PATCH"
    if method != "HEAD":
        assert response.json() == {"code": 12, "message": "Method Not Allowed", "details": []}


async def test_a_broken_escape_in_the_path_is_a_400(transcoder: Transcoder) -> None:
    status, body = await raw_get(transcoder, b"/v1/books/%zz")

    assert status == 400
    assert b'"code":2,"message":"malformed path escape \\"%zz\\""' in body


async def test_an_unknown_query_key_is_a_400_with_a_hint(http: httpx.AsyncClient, backend: Backend) -> None:
    response = await http.get("/v1/books?pageSiez=5")

    assert response.status_code == 400
    assert response.json() == {
        "code": 3,
        "message": "pageSiez: is no parameter of this request, did you mean 'pageSize'?",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [
                    {
                        "field": "pageSiez",
                        "description": "is no parameter of this request, did you mean 'pageSize'?",
                        "reason": "",
                        "localizedMessage": None,
                    }
                ],
            }
        ],
    }
    assert backend.calls == []


async def test_a_service_that_cannot_be_reached_is_a_503_without_its_address() -> None:
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        app = Transcoder(contract.library(), {SERVICE: channel})
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://x") as client:
            response = await client.get("/v1/books/1")

    assert response.status_code == 503
    assert response.json()["message"] == "the service cannot be reached at the moment"
    assert "127.0.0.1" not in response.text


async def test_an_answer_that_json_cannot_say_is_a_fixed_500_and_a_log_line(
    http: httpx.AsyncClient, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(_request: Any, _context: Any) -> Any:
        return make("Book", title="secret title", added={"seconds": 10**15})

    backend.handlers["GetBook"] = handler
    with caplog.at_level(logging.ERROR):
        response = await http.get("/v1/books/1")

    assert response.status_code == 500
    assert response.json() == {"code": 2, "message": "internal error", "details": []}
    assert "years 1 to 9999" in caplog.text
    assert "secret title" not in caplog.text


async def raw_get(app: Transcoder, raw_path: bytes | None, **more: Any) -> tuple[int, bytes]:
    """A GET with exactly these bytes as its path, which HTTP clients would tidy."""
    events: list[Any] = []
    asked: list[bool] = []
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "raw_path": raw_path,
        "path": "/",
        "query_string": b"",
        "headers": [],
    }

    async def receive() -> Any:
        if not asked:
            asked.append(True)
            return {"type": "http.request", "body": b"", "more_body": False}
        return await asyncio.Event().wait()

    async def send(event: Any) -> None:
        events.append(event)

    await app({**scope, **more}, receive, send)
    return events[0]["status"], b"".join(event.get("body", b"") for event in events)


async def test_a_path_without_a_slash_is_a_400(transcoder: Transcoder) -> None:
    status, body = await raw_get(transcoder, b"*")

    assert (status, body) == (400, b'{"code":3,"message":"Bad Request","details":[]}')


async def test_without_a_raw_path_the_decoded_one_is_served(transcoder: Transcoder) -> None:
    status, body = await raw_get(transcoder, None, path="/v1/echo/path/a b")

    assert status == 200
    assert b'"stringValue":"a b"' in body


async def test_the_servers_own_root_path_is_not_part_of_the_route(transcoder: Transcoder) -> None:
    status, _ = await raw_get(transcoder, b"/base/v1/books", root_path="/base")

    assert status == 200
