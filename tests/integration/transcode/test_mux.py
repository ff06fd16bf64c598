"""Which rule serves a request over HTTP in the profile of grpc-gateway, in the order in which rules are given."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.transcode import GRPC_GATEWAY_V2, Decoding, Options, Profile, Transcoder
from tests.unit.transcode.contract import compile_text

ROUTES = 4
CONTRACT = (
    'syntax = "proto3"; package t; message M { string id = 1; string name = 2; string bar = 3; string served_by = 4; }'
    "service S { " + " ".join(f"rpc R{number}(M) returns (M);" for number in range(ROUTES)) + " }"
)
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
LEGACY = GRPC_GATEWAY_V2
UNRESERVED = replace(GRPC_GATEWAY_V2, decoding=Decoding.ALL_EXCEPT_RESERVED)
ALL = replace(GRPC_GATEWAY_V2, decoding=Decoding.ALL_CHARACTERS)


class _Echo(grpc.GenericRpcHandler):
    """Says which method was called."""

    def service(self, call: grpc.HandlerCallDetails) -> Any:
        name = call.method.rpartition("/")[2].encode()

        async def handle(request: bytes, _context: Any) -> bytes:
            return request + b"\x22" + bytes([len(name)]) + name

        return grpc.unary_unary_rpc_method_handler(handle)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a service that echoes."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as opened:
        yield opened
    await server.stop(0)


@pytest.fixture(scope="module")
def descriptors(tmp_path_factory: pytest.TempPathFactory) -> FileDescriptorSet:
    """A service whose methods have no rules of their own."""
    folder: Path = tmp_path_factory.mktemp("mux")
    return compile_text(CONTRACT, folder)


async def ask(app: Transcoder, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
    """Send a request with exactly this path; returns status and body."""
    events: list[Any] = []
    asked: list[bool] = []

    async def receive() -> Any:
        if asked:
            await asyncio.Event().wait()
        asked.append(True)
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: Any) -> None:
        events.append(event)

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await app(
        {"type": "http", "method": method, "raw_path": path.encode(), "path": "", "query_string": b"", "headers": raw},
        receive,
        send,
    )
    return events[0]["status"], b"".join(event.get("body", b"") for event in events).decode()


@pytest.mark.parametrize(
    ("profile", "routes", "request_line", "content_type", "override", "expected"),
    [
        (LEGACY, [], "GET /", JSON, "", 404),
        (LEGACY, ["GET /foo"], "GET /foo", JSON, "", "R0"),
        (LEGACY, ["GET /foo"], "GET /bar", JSON, "", 404),
        (LEGACY, ["GET /*", "GET /foo"], "GET /foo", JSON, "", "R1"),
        (LEGACY, ["GET /foo", "GET /*"], "GET /foo", JSON, "", "R1"),
        (LEGACY, ["GET /foo", "POST /foo"], "POST /foo", JSON, "", "R1"),
        (LEGACY, ["GET /foo"], "DELETE /foo", JSON, "", 501),
        (LEGACY, ["POST /foo/{id=*}:archive"], "DELETE /foo/bar:archive", JSON, "", 501),
        (LEGACY, ["GET /foo"], "POST /foo", FORM, "", "R0"),
        (replace(LEGACY, form_posts_fall_back_to_get=False), ["GET /foo"], "POST /foo", FORM, "", 501),
        (LEGACY, ["GET /foo", "POST /foo"], "POST /foo", FORM, "", "R1"),
        (LEGACY, ["GET /foo", "POST /foo"], "POST /foo", FORM, "GET", "R0"),
        (LEGACY, ["GET /foo", "PATCH /foo"], "POST /foo", FORM, "patch", "R1"),
        (LEGACY, ["GET /foo", "POST /foo"], "POST /foo", FORM, "PUT", 501),
        (replace(LEGACY, method_override=False), ["GET /foo", "POST /foo"], "POST /foo", FORM, "GET", "R1"),
        (LEGACY, ["DELETE /foo", "PUT /foo", "PATCH /foo"], "POST /foo", FORM, "", 501),
        (LEGACY, ["GET /foo"], "POST /foo", JSON, "", 501),
        (LEGACY, ["GET /foo", "DELETE /foo"], "POST /foo", JSON, "DELETE", 501),
        (LEGACY, ["POST /foo:bar"], "POST /foo:bar", JSON, "", "R0"),
        (LEGACY, ["GET /foo/{id=*}", "GET /foo/{id=*}:verb"], "GET /foo/bar:verb", JSON, "", "R1"),
        (LEGACY, ["GET /foo/{id=*}"], "GET /foo/bar:123", JSON, "", "R0"),
        (LEGACY, ["POST /foo/{id=*}", "POST /foo/{id=*}:a:b"], "POST /foo/bar:a:b", JSON, "", "R1"),
        (LEGACY, ["GET /foo"], "POST foo", JSON, "", 400),
        (LEGACY, ["GET /foo"], "OPTIONS *", JSON, "", 400),
        (LEGACY, ["GET /foo/{id=*}/bar"], "POST /foo/404%2fwith%2Fspace/bar", JSON, "", 404),
        (LEGACY, ["GET /foo/{id=*}/bar"], "GET /foo/success%2fwith%2Fspace/bar", JSON, "", 404),
        (UNRESERVED, ["GET /foo/{id=*}/bar"], "GET /foo/success%2fwith%2Fspace/bar", JSON, "", "R0"),
        (ALL, ["GET /foo/{id=*}/bar"], "GET /foo/success%2fwith%2Fspace/bar", JSON, "", 404),
        (UNRESERVED, ["GET /foo/{id=**}"], "GET /foo/success%2fwith%2Fspace", JSON, "", "R0"),
        (ALL, ["POST /v1/{name=o/*}:action"], "POST /v1/o%2Ffoo:action", JSON, "", "R0"),
        (ALL, ["POST /v1/o:verb", "POST /v1/o", "POST /v1/d:verb"], "POST /v1/o:verb", JSON, "", "R0"),
        (UNRESERVED, ["GET /foo/*"], "GET /foo/%25", JSON, "", 400),
        (LEGACY, ["GET /foo/*"], "GET /foo/%25", JSON, "", "R0"),
    ],
)
async def test_who_serves_a_request(
    channel: grpc.aio.Channel,
    descriptors: FileDescriptorSet,
    profile: Profile,
    routes: list[str],
    request_line: str,
    content_type: str,
    override: str,
    expected: str | int,
) -> None:
    rules = [_rule(number, *route.split(" ")) for number, route in enumerate(routes)]
    app = Transcoder(descriptors, {"t.S": channel}, profile=profile, options=Options(rules=rules))
    method, path = request_line.split(" ")
    headers = {"Content-Type": content_type} | ({"X-HTTP-Method-Override": override} if override else {})
    status, body = await ask(app, method, path, headers, b"")

    if isinstance(expected, int):
        assert status == expected
    else:
        assert (status, f'"servedBy":"{expected}"' in body) == (200, True)


def _rule(number: int, method: str, path: str) -> HttpRule:
    rule = HttpRule(selector=f"t.S.R{number}")
    rule.custom.kind, rule.custom.path = method, path
    return rule


async def test_the_form_of_an_overridden_method_is_read_before_the_route_is_searched(
    channel: grpc.aio.Channel, descriptors: FileDescriptorSet
) -> None:
    app = Transcoder(descriptors, {"t.S": channel}, profile=LEGACY, options=Options(rules=[_rule(0, "GET", "/foo")]))
    headers = {"Content-Type": FORM, "X-HTTP-Method-Override": "GET"}
    status, body = await ask(app, "POST", "/foo", headers, b"bar=hoge")

    assert (status, '"bar":"hoge"' in body) == (200, True)


async def test_a_path_decoded_twice_that_breaks_is_told_so(
    channel: grpc.aio.Channel, descriptors: FileDescriptorSet
) -> None:
    options = Options(rules=[_rule(0, "GET", "/foo/*")])
    app = Transcoder(descriptors, {"t.S": channel}, profile=UNRESERVED, options=options)

    assert await ask(app, "GET", "/foo/%25", {}, b"") == (
        400,
        '{"code":2,"message":"malformed path escape \\"%\\"","details":[]}',
    )
