"""What stands around the routes: health, CORS, trailers."""

import asyncio
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2
from starlette.middleware.cors import CORSMiddleware

from gateway.transcode import DEFAULT, GRPC_GATEWAY_V2, Profile
from tests.integration.transcode.library import Backend, serving

Status = health_pb2.HealthCheckResponse


def asking(app: Any) -> httpx.AsyncClient:
    """A client of the application, without a network between."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://x")


class HealthOf(grpc.GenericRpcHandler):
    """Answers health checks with what it is told."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.asked: list[str] = []

    def service(self, call: grpc.HandlerCallDetails) -> Any:
        if call.method != "/grpc.health.v1.Health/Check":
            return None

        async def check(request: Any, context: Any) -> Any:
            self.asked.append(request.service)
            if isinstance(self._answer, grpc.StatusCode):
                await context.abort(self._answer, "no such service")
            return Status(status=self._answer)

        return grpc.unary_unary_rpc_method_handler(
            check,
            request_deserializer=health_pb2.HealthCheckRequest.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )


@pytest.mark.parametrize("profile", [DEFAULT, GRPC_GATEWAY_V2], ids=lambda profile: profile.name)
@pytest.mark.parametrize(
    ("answer", "http_status", "code"),
    [
        (Status.SERVING, 200, None),
        (Status.NOT_SERVING, 503, 14),
        (Status.UNKNOWN, 503, 14),
        (Status.SERVICE_UNKNOWN, 404, 5),
        (grpc.StatusCode.NOT_FOUND, 404, 5),
    ],
)
async def test_health_is_told_by_the_status(profile: Profile, answer: Any, http_status: int, code: int | None) -> None:
    health = HealthOf(answer)
    async with serving(Backend(), profile=profile, health=health) as app, asking(app) as client:
        response = await client.get("/healthz?service=library")

    assert (response.status_code, response.headers["content-type"]) == (http_status, "application/json")
    assert response.json().get("code") == code
    assert health.asked == ["library"]


async def test_a_service_without_health_is_a_501_and_without_a_channel_there_is_no_path() -> None:
    class Silent(grpc.GenericRpcHandler):
        def service(self, _call: grpc.HandlerCallDetails) -> None:
            return None

    async with serving(Backend(), health=Silent()) as app, asking(app) as client:
        unanswered = await client.get("/healthz")
    async with serving(Backend()) as app, asking(app) as client:
        unknown = await client.get("/healthz")

    assert (unanswered.status_code, unknown.status_code) == (501, 404)


async def test_cors_is_the_hosts_with_starlettes_middleware(backend: Backend) -> None:
    async with serving(backend) as app:
        around = CORSMiddleware(app, allow_origins=["http://friend.example"], allow_methods=["GET", "PATCH"])
        async with asking(around) as client:
            asked = await client.options(
                "/v1/books/1", headers={"Origin": "http://friend.example", "Access-Control-Request-Method": "PATCH"}
            )
            answered = await client.get("/v1/books/1", headers={"Origin": "http://friend.example"})

    assert (asked.status_code, asked.headers["access-control-allow-methods"]) == (200, "GET, PATCH")
    assert answered.headers["access-control-allow-origin"] == "http://friend.example"


@pytest.mark.parametrize(
    ("te", "extensions", "trailers"),
    [
        (b"trailers", {"http.response.trailers": {}}, [(b"grpc-trailer-foo", b"bar")]),
        (b"gzip, Trailers", {"http.response.trailers": {}}, [(b"grpc-trailer-foo", b"bar")]),
        (b"trailers", {}, None),
        (b"", {"http.response.trailers": {}}, None),
    ],
)
async def test_trailers_are_sent_where_client_and_server_can(
    backend: Backend, te: bytes, extensions: dict[str, Any], trailers: list[tuple[bytes, bytes]] | None
) -> None:
    async def handler(request: Any, context: Any) -> Any:
        context.set_trailing_metadata((("foo", "bar"), ("x-http-code", "201")))
        return backend.make("Book")

    backend.handlers["GetBook"] = handler
    sent: list[Any] = []
    scope = {
        "type": "http",
        "method": "GET",
        "raw_path": b"/v1/books/1",
        "path": "/v1/books/1",
        "headers": [(b"te", te)],
        "extensions": extensions,
    }

    asked: list[bool] = []

    async def receive() -> Any:
        if asked:
            await asyncio.Event().wait()
        asked.append(True)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: Any) -> None:
        sent.append(event)

    async with serving(backend) as app:
        await app(scope, receive, send)
    head = dict(sent[0]["headers"])

    assert sent[0].get("trailers", False) is (trailers is not None)
    assert head.get(b"trailer") == (b"grpc-trailer-foo" if trailers else None)
    assert [event["headers"] for event in sent if event["type"] == "http.response.trailers"] == (
        [trailers] if trailers else []
    )
