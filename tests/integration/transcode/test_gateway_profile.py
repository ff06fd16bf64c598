"""The profile that answers as grpc-gateway v2 does, against a real service. What matches what is in the unit tests."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.rpc import status_pb2

from gateway.transcode import GRPC_GATEWAY_V2, Binary, Json, Options, Profile
from tests.integration.transcode.library import Backend, serving

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def _visit(request: Any, _context: Any) -> Any:
    return request


async def _has(_request: Any, _context: Any) -> Any:
    return Empty()


@pytest_asyncio.fixture(loop_scope="session")
async def talks() -> Backend:
    backend = Backend(talks=True, Visit=_visit, HasBook=_has, PutCover=_visit)

    async def read(request: Any, context: Any) -> AsyncIterator[Any]:
        for number in range(len(request.book_id.rstrip("!"))):
            yield backend.make("Chapter", number=number)
        if request.book_id.endswith("!"):
            await context.abort(grpc.StatusCode.OUT_OF_RANGE, "400")

    async def scan(request: Any, context: Any) -> AsyncIterator[Any]:
        yield HttpBody(content_type="image/tiff", data=b"\x00")
        if request.book_id == "torn":
            await context.abort(grpc.StatusCode.DATA_LOSS, "torn")
        yield HttpBody(content_type="text/plain", data=b"\x01")

    backend.handlers |= {"Read": read, "Scan": scan}
    return backend


def client(app: Any) -> httpx.AsyncClient:
    """A client of the application, without a network between."""
    transport = httpx.ASGITransport(app=app, client=("192.0.2.7", 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://books.example")


@pytest_asyncio.fixture(loop_scope="session")
async def http(talks: Backend) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(talks, profile=GRPC_GATEWAY_V2) as app, client(app) as asking:
        yield asking


async def test_a_path_without_a_route_is_a_404(http: httpx.AsyncClient) -> None:
    response = await http.get("/v2")

    assert (response.status_code, response.json()) == (404, {"code": 5, "message": "Not Found", "details": []})


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
async def test_another_method_is_a_501_without_allow(http: httpx.AsyncClient, method: str) -> None:
    response = await http.request(method, "/v1/visits/7")

    assert response.status_code == 501
    assert "allow" not in response.headers
    if method != "HEAD":
        assert response.json() == {"code": 12, "message": "Method Not Allowed", "details": []}


async def test_a_method_is_served_by_a_custom_rule_only(http: httpx.AsyncClient) -> None:
    bound = await http.head("/v1/books/7")
    unbound = await http.head("/v1/visits")

    assert (bound.status_code, unbound.status_code) == (200, 501)


async def test_answers_have_the_headers_of_the_service_and_no_length(http: httpx.AsyncClient, talks: Backend) -> None:
    async def visit(_request: Any, context: Any) -> Any:
        await context.send_initial_metadata((("foo", "bar"), ("baz", "qux")))
        context.set_trailing_metadata((("late", "x"),))
        return talks.make("Everything")

    talks.handlers["Visit"] = visit
    response = await http.get("/v1/visits")

    assert dict(response.headers) == {
        "content-type": "application/json",
        "grpc-metadata-foo": "bar",
        "grpc-metadata-baz": "qux",
    }


async def test_the_host_may_name_headers_and_ask_for_the_length(talks: Backend) -> None:
    async def visit(_request: Any, context: Any) -> Any:
        await context.send_initial_metadata((("foo", "bar"), ("baz", "qux")))
        return talks.make("Everything")

    talks.handlers["Visit"] = visit
    options = Options(outgoing_header=lambda key: "custom-foo" if key == "foo" else None)
    profile = replace(GRPC_GATEWAY_V2, content_length=True)
    async with serving(talks, options, profile=profile) as app, client(app) as asking:
        response = await asking.get("/v1/visits")

    assert {**response.headers, "content-length": "?"} == {
        "content-type": "application/json",
        "custom-foo": "bar",
        "content-length": "?",
    }
    assert int(response.headers["content-length"]) == len(response.content)


async def test_of_the_requests_headers_only_those_of_the_rule_reach_the_service(
    http: httpx.AsyncClient, talks: Backend
) -> None:
    given = [
        ("Some-Irrelevant-Header", "some value"),
        ("Grpc-Metadata-FooBar", "Value1"),
        ("Grpc-Metadata-Foo-BAZ", "Value2"),
        ("Grpc-Metadata-foo-bAz", "Value3"),
        ("Grpc-Metadata-Test-Bin", "AHRlc3Q"),
        ("Authorization", "Token 1234567890"),
        ("X-Forwarded-For", "192.0.2.100"),
        ("X-Forwarded-For", "192.0.2.101, 192.0.2.102"),
        ("X-Forwarded-Host", "qux.example"),
    ]
    await http.get("/v1/visits", headers=given)
    seen = {key: value for key, value in talks.last_metadata.items() if not key.startswith(("user-agent", "grpc-"))}

    assert {key: value for key, value in seen.items() if not key.startswith("grpcgateway-a")} == {
        "foobar": ["Value1"],
        "foo-baz": ["Value2", "Value3"],
        "test-bin": [b"\x00test"],
        "authorization": ["Token 1234567890"],
        "x-forwarded-for": ["192.0.2.100, 192.0.2.101, 192.0.2.102, 192.0.2.7"],
        "x-forwarded-host": ["qux.example"],
        "grpcgateway-user-agent": seen["grpcgateway-user-agent"],
    }
    assert seen["grpcgateway-authorization"] == ["Token 1234567890"]


@pytest.mark.parametrize("value", ["!!", "YQ=", "Y"])
async def test_a_binary_header_that_is_no_base64_is_a_400(http: httpx.AsyncClient, value: str) -> None:
    response = await http.get("/v1/visits", headers={"Grpc-Metadata-A-Bin": value})

    assert (response.status_code, response.json()["code"]) == (400, 3)


async def test_the_host_may_name_metadata(talks: Backend) -> None:
    options = Options(
        incoming_header={"x-tenant": "tenant"}.get,
        extra_metadata=lambda _scope: [("foo", "bar"), ("baz", "qux")],
    )
    async with serving(talks, options, profile=GRPC_GATEWAY_V2) as app, client(app) as asking:
        await asking.get("/v1/visits", headers={"X-Tenant": "t", "Accept": "a/b", "Authorization": "x"})
    seen = talks.last_metadata

    assert [seen[key] for key in ("tenant", "foo", "baz", "authorization")] == [["t"], ["bar"], ["qux"], ["x"]]
    assert "grpcgateway-accept" not in seen


async def test_unknown_query_keys_are_ignored(http: httpx.AsyncClient) -> None:
    response = await http.get("/v1/visits?nonsense=1&stringValue=x&child.nonsense=1&strings[]=1")
    shown = response.json()

    assert (shown["stringValue"], shown["strings"]) == ("x", ["", "1"])
    assert shown["child"] is not None


@pytest.mark.parametrize("query", ["int32Value=x", "int32Value=1&int32Value=2", "a=%zz", "a;b", "labels=1", "child=1"])
async def test_a_query_that_does_not_fit_is_a_400(http: httpx.AsyncClient, query: str) -> None:
    response = await http.get(f"/v1/visits?{query}")

    assert (response.status_code, response.json()["code"]) == (400, 3)


@pytest.mark.parametrize(("text", "number"), [("0x10", "16"), ("010", "8"), ("0b11", "3"), ("1_000", "1000")])
async def test_integers_in_the_path_may_be_of_any_base(http: httpx.AsyncClient, text: str, number: str) -> None:
    response = await http.put(f"/v1/visits/{text}")

    assert response.json()["int64Value"] == number


async def test_an_empty_path_variable_matches(http: httpx.AsyncClient) -> None:
    text = await http.delete("/v1/visits/")
    number = await http.put("/v1/visits/")

    assert (text.status_code, text.json()["stringValue"]) == (200, "")
    assert (number.status_code, number.json()["code"]) == (400, 3)


async def test_the_path_is_decoded_before_it_is_routed(http: httpx.AsyncClient) -> None:
    shown = await http.delete("/v1%2Fvisits/%EA%B0%80%20+b")
    deeper = await http.delete("/v1/visits/a%2Fb")

    assert shown.json()["stringValue"] == "가 +b"
    assert deeper.status_code == 404


async def test_a_form_is_merged_with_the_query(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/visits?strings=q&int32Value=5", content="strings=f&stringValue=a+b", headers=FORM)
    shown = response.json()

    assert (shown["strings"], shown["stringValue"], shown["int32Value"]) == (["f", "q"], "a b", 5)


async def test_a_form_of_put_is_one_too_whatever_its_parameters(http: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    response = await http.put("/v1/visits/1", content="stringValue=x", headers=headers)

    assert response.json()["stringValue"] == "x"


async def test_a_broken_form_is_a_400(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/visits", content="a=%zz", headers=FORM)

    assert response.status_code == 400


async def test_a_form_may_name_another_method(http: httpx.AsyncClient, talks: Backend) -> None:
    headers = {**FORM, "X-HTTP-Method-Override": "delete"}
    response = await http.post("/v1/visits/7", content="int32Value=5", headers=headers)
    shown = response.json()

    assert (shown["stringValue"], shown["int32Value"]) == ("7", 5)


@pytest.mark.parametrize(
    ("profile", "headers"),
    [
        (GRPC_GATEWAY_V2, {"X-HTTP-Method-Override": "DELETE", "Content-Type": "application/json"}),
        (GRPC_GATEWAY_V2, {"X-HTTP-Method-Override": "DELETE", "Content-Type": FORM["Content-Type"] + ";a=b"}),
        (replace(GRPC_GATEWAY_V2, method_override=False), {**FORM, "X-HTTP-Method-Override": "DELETE"}),
    ],
)
async def test_who_sends_no_plain_form_or_is_not_heard_names_no_method(
    talks: Backend, profile: Profile, headers: dict[str, str]
) -> None:
    async with serving(talks, profile=profile) as app, client(app) as asking:
        response = await asking.post("/v1/visits/7", headers=headers)

    assert response.status_code == 501


async def test_a_form_without_a_route_of_its_own_is_served_by_get(talks: Backend, http: httpx.AsyncClient) -> None:
    served = await http.post("/v1/readings/ab", content="name=x", headers=FORM)
    strict = replace(GRPC_GATEWAY_V2, form_posts_fall_back_to_get=False)
    async with serving(talks, profile=strict) as app, client(app) as asking:
        refused = await asking.post("/v1/readings/ab", headers=FORM)
    dangerous = await http.post("/v1/visits/7", headers=FORM)

    assert (served.status_code, talks.calls[0][1].name) == (200, "x")
    assert (refused.status_code, dangerous.status_code) == (501, 501)


async def test_lines_of_a_stream(http: httpx.AsyncClient) -> None:
    two, none = await http.get("/v1/readings/ab"), await http.get("/v1/readings/!")
    broken = await http.get("/v1/readings/a!", headers={"Accept": "application/x-ndjson"})
    error = '{"error":{"code":11,"message":"400","details":[]}}\n'

    assert two.text == '{"result":{"number":0,"title":""}}\n{"result":{"number":1,"title":""}}\n'
    assert (none.status_code, none.text) == (400, error)
    assert (broken.status_code, broken.text) == (200, '{"result":{"number":0,"title":""}}\n' + error)
    assert broken.headers["content-type"] == "application/json"


async def test_a_newline_follows_each_chunk_of_raw_bytes(http: httpx.AsyncClient) -> None:
    whole, torn = await http.get("/v1/scans/1"), await http.get("/v1/scans/torn")

    assert (whole.headers["content-type"], whole.content) == ("image/tiff", b"\x00\n\x01\n")
    assert torn.content == b'\x00\n{"error":{"code":15,"message":"torn","details":[]}}\n'


async def test_a_body_for_raw_bytes_is_json(http: httpx.AsyncClient) -> None:
    response = await http.put("/v1/covers/7", content='{"contentType":"image/png","data":"AAE="}')

    assert response.json()["cover"] == {"contentType": "image/png", "data": "AAE=", "extensions": []}


async def test_without_a_deadline_there_is_none(http: httpx.AsyncClient, talks: Backend) -> None:
    left: list[float | None] = []

    async def visit(request: Any, context: Any) -> Any:
        left.append(context.time_remaining())
        return request

    talks.handlers["Visit"] = visit
    for headers in ({}, {"Grpc-Timeout": "0S"}, {"Grpc-Timeout": "17H"}):
        await http.get("/v1/visits", headers=headers)

    assert left[:2] == [None, None]
    assert left[2] == pytest.approx(61200, rel=0.01)


@pytest.mark.parametrize(
    ("header", "status", "code"), [("INVALID", 400, 3), ("10m", 504, 4), ("-5S", 504, 4), ("+10m", 504, 4)]
)
async def test_a_deadline_that_is_broken_or_passes(
    http: httpx.AsyncClient, talks: Backend, header: str, status: int, code: int
) -> None:
    async def visit(_request: Any, _context: Any) -> Any:
        await asyncio.Event().wait()

    talks.handlers["Visit"] = visit
    response = await http.get("/v1/visits", headers={"Grpc-Timeout": header})

    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_a_failure_without_a_status_tells_its_text(http: httpx.AsyncClient, talks: Backend) -> None:
    async def visit(_request: Any, _context: Any) -> Any:
        return talks.make("Everything", timestamp={"seconds": 10**15})

    talks.handlers["Visit"] = visit
    response = await http.get("/v1/visits")

    assert (response.status_code, response.json()["code"]) == (500, 2)
    assert "years 1 to 9999" in response.json()["message"]


async def test_a_service_may_choose_the_status_of_its_error(http: httpx.AsyncClient, talks: Backend) -> None:
    async def visit(_request: Any, context: Any) -> Any:
        context.set_trailing_metadata((("x-http-code", "405"),))
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method Not Allowed")

    talks.handlers["Visit"] = visit
    response = await http.get("/v1/visits")

    assert (response.status_code, response.json()["code"]) == (405, 12)


async def test_marshalers_write_answers_and_errors_alike(talks: Backend) -> None:
    own = Json(content_type="application/x-own", emit_unpopulated=False, use_proto_names=True, use_enum_numbers=True)
    options = Options(marshalers={"*": Json(), "application/x-own": own, "application/octet-stream": Binary()})
    async with serving(talks, options, profile=GRPC_GATEWAY_V2) as app, client(app) as asking:
        shown = await asking.get("/v1/visits?genre=1", headers={"Accept": "application/x-own"})
        error = await asking.get("/v1/visits?genre=x", headers={"Accept": "application/x-own"})
        wire = await asking.get("/v1/visits?genre=1", headers={"Accept": "application/octet-stream"})
        lost = await asking.get("/v9", headers={"Accept": "application/octet-stream"})

    assert (shown.headers["content-type"], shown.text) == ("application/x-own", '{"genre":1}')
    assert (error.headers["content-type"], error.json()["code"]) == ("application/x-own", 3)
    assert wire.content == talks.make("Everything", genre=1).SerializeToString()
    assert status_pb2.Status.FromString(lost.content).code == 5


async def test_the_host_may_rewrite_answers_and_errors(talks: Backend) -> None:
    def rewrite(message: Message) -> Any:
        if isinstance(message, status_pb2.Status):
            return status_pb2.Status(code=message.code, message="bad request: " + message.message)
        return talks.make("Chapter", title="rewritten")

    async with serving(talks, Options(rewrite=rewrite), profile=GRPC_GATEWAY_V2) as app, client(app) as asking:
        shown, error = await asking.get("/v1/visits"), await asking.get("/v1/visits?genre=x")

    assert shown.json() == {"number": 0, "title": "rewritten"}
    assert error.json()["message"].startswith("bad request: genre")


async def test_methods_without_a_rule_are_served_where_the_host_wants_that(talks: Backend) -> None:
    talks.handlers["Whisper"] = _visit
    async with serving(talks, Options(serve_unbound_methods=True)) as app, client(app) as asking:
        response = await asking.post("/library.v1.Talks/Whisper", json={"number": 5})

    assert response.json() == {"number": 5, "title": ""}
