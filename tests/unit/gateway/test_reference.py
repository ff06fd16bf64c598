"""The API's description, made of the real contract."""

import html
import json
from typing import Any

import grpc
import pytest
import pytest_asyncio
from openapi_spec_validator import OpenAPIV31SpecValidator

from flick.v1 import options_pb2
from gateway.__main__ import read_descriptors
from gateway.backends import HOMES
from gateway.reference.document import about, read_access
from gateway.reference.page import render
from gateway.transcode import Transcoder

DESCRIPTORS = read_descriptors()


@pytest_asyncio.fixture(loop_scope="session")
async def document() -> dict[str, Any]:
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        transcoder = Transcoder(DESCRIPTORS, dict.fromkeys(HOMES, channel))
        return transcoder.openapi(about(DESCRIPTORS, version="1.2.3"))


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(json.loads(json.dumps(document))).validate()

    assert document["info"]["version"] == "1.2.3"


def test_every_operation_says_who_may_call_it_as_the_contract_does(document: dict[str, Any]) -> None:
    rules = read_access(DESCRIPTORS)
    operations = {one["operationId"]: one for item in document["paths"].values() for one in item.values()}
    for name, rule in rules.items():
        service, method = name.split(".")[-2:]
        operation = operations.get(f"{service}_{method}")
        if operation is not None:
            is_open = options_pb2.CALLER_KIND_ANONYMOUS in rule.callers

            assert (operation["security"] == []) == is_open, name


def test_what_an_agent_may_call_takes_its_key_too(document: dict[str, Any]) -> None:
    push = document["paths"]["/api/v1/servers/{server_id}/metrics:push"]["post"]

    assert push["security"] == [{"bearer": ["member"]}, {"agentKey": []}]
    assert "agentKey" in document["components"]["securitySchemes"]
    assert "with the role member or above, or the key of an agent." in render(document)


def test_the_frames_of_the_live_socket_are_described(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    assert "subscribe" in schemas["flick.v1.LiveRequest"]["properties"]
    assert "metrics" in schemas["flick.v1.LiveResponse"]["properties"]
    assert document["paths"]["/api/v1/ws"]["get"]["x-websocket"]["send"]["$ref"].endswith("LiveRequest")


def test_the_page_shows_every_operation_and_message(document: dict[str, Any]) -> None:
    page = render(document)

    for path in document["paths"]:
        assert html.escape(path) in page
    for name in document["components"]["schemas"]:
        assert f"<code>{name}</code>" in page


def test_links_within_the_page_lead_somewhere(document: dict[str, Any]) -> None:
    page = render(document)
    targets = {part.split('"')[0] for part in page.split('id="')[1:]}
    links = {part.split('"')[0] for part in page.split('href="#')[1:]}

    assert links <= targets


def test_texts_can_not_break_out_of_the_page(document: dict[str, Any]) -> None:
    document["info"]["description"] = "<script>alert(1)</script> `<b>`"
    page = render(document)

    assert "<script>" not in page
    assert "<b>" not in page


@pytest.mark.parametrize("service", sorted(HOMES))
def test_every_service_has_a_home(service: str) -> None:
    assert HOMES[service] in {"auth", "ingest", "query"}
