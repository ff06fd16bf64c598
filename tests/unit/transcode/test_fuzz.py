"""No request breaks the transcoder: whatever stands in path, query, headers or body, it is served or refused."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import grpc.aio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.transcode import DEFAULT, GRPC_GATEWAY_V2, Profile, Transcoder
from tests.unit.transcode import contract

PATHS = [
    "/v1/books/{}",
    "/v1/echo/int/{}",
    "/v1/echo/nested/{}",
    "/v1/echo/time/{}",
    "/v1/echo/strings/{}",
    "/v1/echo/path/{}",
    "/v1/echo",
    "/v1/echo/strings",
    "/v1/echo/child/{}",
    "/v1/visits/{}",
    "/{}",
]
FIELDS = [field.json_name for field in contract.descriptor("Everything").fields]
NOTHING = (400, 404, 405, 501, 503)
"""Refused, or served as far as it goes without a service behind."""


@pytest.fixture(scope="module")
def ask() -> Iterator[Callable[..., int]]:
    """Serves a request by a profile, with no service behind, and returns its status."""
    loop = asyncio.new_event_loop()

    async def channels() -> dict[str, grpc.aio.Channel]:
        channel = grpc.aio.insecure_channel("127.0.0.1:1")
        return {"library.v1.Library": channel, "library.v1.Talks": channel}

    opened = loop.run_until_complete(channels())
    apps = {
        (profile.name, number): Transcoder(descriptors, opened, profile=profile)
        for profile in (DEFAULT, GRPC_GATEWAY_V2)
        for number, descriptors in enumerate((contract.library(), contract.talks()))
    }

    def serve(profile: Profile, number: int, scope: dict[str, Any], body: bytes) -> int:
        return loop.run_until_complete(_status(apps[profile.name, number], scope, body))

    yield serve
    for channel in set(opened.values()):
        loop.run_until_complete(channel.close())
    loop.close()


async def _status(app: Callable[..., Awaitable[None]], scope: dict[str, Any], body: bytes) -> int:
    events: list[Any] = []
    asked: list[bool] = []

    async def receive() -> Any:
        if asked:
            await asyncio.Event().wait()
        asked.append(True)
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: Any) -> None:
        events.append(event)

    await app(scope, receive, send)
    return int(events[0]["status"])


RAW = st.binary(max_size=12) | st.text(st.sampled_from(list("%2fF:/.a0x_-+é\x00")), max_size=10).map(str.encode)
KEYS = st.sampled_from(FIELDS).map(str.encode) | RAW
QUERY = st.lists(st.tuples(KEYS, st.sampled_from([b"", b"[a]", b"[]", b".x", b".child"]), RAW), max_size=4).map(
    lambda parts: b"&".join(key + tail + b"=" + value for key, tail, value in parts)
)
BODY = st.binary(max_size=30) | st.dictionaries(st.sampled_from(FIELDS), st.integers() | st.text() | st.none()).map(
    lambda value: repr(value).replace("'", '"').replace("None", "null").encode("utf-8", "surrogatepass")
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                b"content-type",
                b"accept",
                b"grpc-metadata-a-bin",
                b"grpc-metadata-x",
                b"x-http-method-override",
                b"grpc-metadata-\xff",
                b"x-forwarded-for",
                b"cookie",
                b"te",
            ]
        ),
        st.sampled_from([b"application/x-www-form-urlencoded", b"text/event-stream", b"DELETE", b"AA", b"trailers"])
        | st.binary(max_size=8),
    ),
    max_size=3,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    profile=st.sampled_from([DEFAULT, GRPC_GATEWAY_V2]),
    number=st.sampled_from([0, 1]),
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "PURGE"]),
    path=st.sampled_from(PATHS),
    value=RAW,
    query=QUERY,
    headers=HEADERS,
    body=BODY,
)
def test_no_request_is_a_500(
    ask: Callable[..., int],
    profile: Profile,
    number: int,
    method: str,
    path: str,
    value: bytes,
    query: bytes,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
) -> None:
    scope = {
        "type": "http",
        "method": method,
        "raw_path": path.encode().replace(b"{}", value),
        "path": "/",
        "query_string": query,
        "headers": headers,
        "client": None,
    }

    assert ask(profile, number, scope, body) in NOTHING
