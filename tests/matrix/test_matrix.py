"""Every method, route and topic, for every kind of caller and every thing it can name, against the table by hand."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import grpc
import httpx
import pytest
import websockets
from google.api import annotations_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from flick.ids import new_id
from flick.rpc.client import open_channel
from flick.v1 import (
    access_pb2,
    auth_pb2,
    enrollment_pb2,
    ingest_pb2,
    organizations_pb2,
    push_pb2,
    query_pb2,
    server_groups_pb2,
    servers_pb2,
    stats_pb2,
)
from tests.deployables import House
from tests.matrix.population import Population
from tests.matrix.table import METHODS, PAGES, TOPICS, Answer, Row, What, Who

MODULES = (
    access_pb2,
    auth_pb2,
    enrollment_pb2,
    ingest_pb2,
    organizations_pb2,
    push_pb2,
    query_pb2,
    server_groups_pb2,
    servers_pb2,
    stats_pb2,
)
SERVED_BY = {  # every other service: auth
    "IngestService": "ingest",
    "PushService": "ingest",
    "QueryService": "query",
    "StatsService": "query",
}
BY_HTTP = {401: Answer.UNAUTHENTICATED, 403: Answer.PERMISSION_DENIED, 404: Answer.NOT_FOUND}
BY_GRPC = {grpc.StatusCode[answer.name]: answer for answer in BY_HTTP.values()}
LET_IN_AFTER_S = 1.0  # a stream that was not refused by then has let its caller in

DESCRIPTORS: Mapping[str, MethodDescriptor] = {
    f"{service.name}.{method.name}": method
    for module in MODULES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
CASES = [
    pytest.param(name, who, what, id=f"{name}-{who.value}-{what.value}")
    for name, row in METHODS.items()
    for who in Who
    for what in (What if row.names else [What.OWN])
]
ROUTED = [case for case in CASES if DESCRIPTORS[str(case.values[0])].GetOptions().HasExtension(annotations_pb2.http)]


def service_of(method: str) -> str:
    return SERVED_BY.get(method.split(".")[0], "auth")


async def request_for(method: str, row: Row, what: What, population: Population) -> Message:
    """A request that names what it should, and is good otherwise where that takes no more than a word."""
    descriptor = DESCRIPTORS[method]
    request: Any = message_factory.GetMessageClass(descriptor.input_type)()
    if row.names == "organization_id":
        request.organization_id = str(population.organizations.get(what, new_id()))
    elif row.names == "join_token_id":
        request.join_token_id = str(new_id() if what is What.UNKNOWN else await population.join_token(what))
    elif row.names == "server_group_id":
        request.server_group_id = str(new_id() if what is What.UNKNOWN else await population.server_group(what))
    elif row.names:
        server_id = await named_server(method, what, population)
        if row.names == "server_ids":
            request.server_ids.append(str(server_id))
        else:
            request.server_id = str(server_id)
    if method.endswith("RevokeAgentKey"):
        request.key_id = str(new_id())
    if method.endswith(("QueryMetrics", "QueryFleetMetrics", "ExportMetrics")):
        request.names.append("system.uptime")
    return request  # type: ignore[no-any-return]


async def named_server(method: str, what: What, population: Population) -> UUID:
    if what is What.UNKNOWN:
        return new_id()
    disposable = method.endswith("DeleteServer")
    return await population.server(what) if disposable else population.servers[what]


async def call(address: str, method: str, request: Message, token: str) -> Answer:
    """Call over gRPC; how it was answered."""
    descriptor = DESCRIPTORS[method]
    path = f"/{descriptor.containing_service.full_name}/{descriptor.name}"
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    async with open_channel(address) as channel:
        unary: Any = channel.unary_unary(path)
        watch: Any = channel.unary_stream(path)
        try:
            async with asyncio.timeout(LET_IN_AFTER_S if descriptor.server_streaming else 10):
                if descriptor.client_streaming:
                    await channel.stream_stream(path)(metadata=metadata).read()
                elif descriptor.server_streaming:
                    await watch(request.SerializeToString(), metadata=metadata).read()
                else:
                    await unary(request.SerializeToString(), metadata=metadata)
        except grpc.aio.AioRpcError as error:
            if error.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE):
                raise  # the house is broken, which is no answer
            return BY_GRPC.get(error.code(), Answer.LET_IN)
        except TimeoutError:
            assert descriptor.server_streaming
    return Answer.LET_IN


def test_every_method_has_a_row_and_every_row_a_method() -> None:
    assert set(METHODS) == set(DESCRIPTORS)


def test_every_row_says_what_every_caller_gets() -> None:
    assert all(set(row.own) == set(Who) for row in METHODS.values())


@pytest.mark.parametrize(("method", "who", "what"), CASES)
async def test_grpc(inhabited: tuple[House, Population], method: str, who: Who, what: What) -> None:
    house, population = inhabited
    row = METHODS[method]
    request = await request_for(method, row, what, population)
    service = service_of(method)
    answer = await call(getattr(house, service), method, request, population.credential(who, audience=service))

    assert unless_missing(answer, method, who, what) is row.answer(who, what)


@pytest.mark.parametrize(("method", "who", "what"), ROUTED)
async def test_rest(inhabited: tuple[House, Population], method: str, who: Who, what: What) -> None:
    house, population = inhabited
    row = METHODS[method]
    request: Any = await request_for(method, row, what, population)
    token = population.credential(who, audience=service_of(method))
    verb, path = route(method, request)
    body: dict[str, Any] = {"json": {}} if verb in ("post", "patch") else {}
    if method.endswith(("CreateJoinToken", "CreateServerGroup")):
        body = {"json": {"organizationId": request.organization_id}}
    if method.endswith("BatchUpdateServers"):
        body = {"json": {"serverIds": list(request.server_ids)}}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(base_url=house.gateway, headers=headers) as client:
        status = await http_status(client, verb, path, body, streams=DESCRIPTORS[method].server_streaming)

    assert status < 500, status
    assert unless_missing(BY_HTTP.get(status, Answer.LET_IN), method, who, what) is row.answer(who, what)


async def http_status(
    client: httpx.AsyncClient, verb: str, path: str, body: Mapping[str, Any], *, streams: bool
) -> int:
    try:
        async with client.stream(verb, path, timeout=LET_IN_AFTER_S if streams else 10, **body) as response:
            return response.status_code
    except httpx.ReadTimeout:
        assert streams
        return 200


def route(method: str, request: Any) -> tuple[str, str]:
    """The HTTP method and the path, with what the request names in it."""
    rule = DESCRIPTORS[method].GetOptions().Extensions[annotations_pb2.http]
    verb = str(rule.WhichOneof("pattern"))
    path = str(getattr(rule, verb))
    query = []
    for field, value in request.ListFields():
        text = value if isinstance(value, str) else ",".join(value)
        if f"{{{field.name}}}" in path:
            path = path.replace(f"{{{field.name}}}", text)
        elif verb in ("get", "delete"):
            query.append(f"{field.name}={text}")
    return verb, path + ("?" + "&".join(query) if query else "")


def unless_missing(answer: Answer, method: str, who: Who, what: What) -> Answer:
    """RevokeAgentKey names a key that does not exist: NOT_FOUND tells one who may revoke, that they were let in."""
    administers = (who is Who.ADMIN and what is What.OWN) or (who is Who.OTHER and what is What.FOREIGN)
    if method.endswith("RevokeAgentKey") and administers and answer is Answer.NOT_FOUND:
        return Answer.LET_IN
    return answer


@pytest.mark.parametrize(("path", "who"), [(path, who) for path in PAGES for who in Who])
async def test_pages(inhabited: tuple[House, Population], path: str, who: Who) -> None:
    house, population = inhabited
    token = population.credential(who, audience="auth")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(base_url=house.gateway, headers=headers) as client:
        status = (await client.get(path)).status_code

    assert BY_HTTP.get(status, Answer.LET_IN) is PAGES[path]


@pytest.mark.parametrize(
    ("topic", "who", "what"), [(topic, who, what) for topic in TOPICS for who in Who for what in What]
)
async def test_topics(inhabited: tuple[House, Population], topic: str, who: Who, what: What) -> None:
    house, population = inhabited
    token = population.credential(who, audience="auth")  # auth says who opens a socket
    server_id = str(population.servers.get(what, new_id()))

    assert await subscribe(house, token, server_id) is TOPICS[topic].answer(who, what)


async def subscribe(house: House, token: str, server_id: str) -> Answer:
    """Subscribe over the WebSocket; how it was answered, by error frame or by closing."""
    address = house.gateway.replace("http", "ws", 1) + "/api/v1/ws"
    codes = {code.value[0]: answer for code, answer in BY_GRPC.items()}
    async with websockets.connect(address) as sock:
        await sock.send(json.dumps({"authenticate": {"accessToken": token}}))
        await sock.send(json.dumps({"subscribe": {"subscriptionId": "a", "serverIds": [server_id]}}))
        try:
            async with asyncio.timeout(LET_IN_AFTER_S):
                while True:
                    frame = json.loads(await sock.recv())
                    if "error" in frame:
                        return codes[frame["error"]["status"]["code"]]
                    if "metrics" in frame:
                        return Answer.LET_IN
        except TimeoutError:
            return Answer.LET_IN
        except websockets.ConnectionClosed as closed:
            return {4401: Answer.UNAUTHENTICATED, 4403: Answer.PERMISSION_DENIED}[
                closed.rcvd.code if closed.rcvd else 0
            ]
