"""The OpenAPI document of the library, judged by an independent validator and by what it says."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.transcode import DEFAULT, GRPC_GATEWAY_V2, About, Binding, Profile, Transcoder
from tests.integration.transcode.description import ABOUT, describe, is_valid, success
from tests.integration.transcode.library import SERVICE, TALKS
from tests.unit.transcode import contract


@pytest.fixture
async def transcoder() -> AsyncIterator[Transcoder]:
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        yield Transcoder(contract.library(), {SERVICE: channel})


@pytest.fixture
def document(transcoder: Transcoder) -> dict[str, Any]:
    return transcoder.openapi(ABOUT)


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_route_has_its_operation(transcoder: Transcoder, document: dict[str, Any]) -> None:
    described = {operation["operationId"] for item in document["paths"].values() for operation in item.values()}

    assert described == {route.operation_id for route in transcoder.routes}


def test_a_comment_becomes_summary_and_description(document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/books/{book_id}"]["get"]

    assert operation["summary"] == "Get one book"
    assert operation["description"] == (
        "Get one book. It answers NOT_FOUND for an unknown one.\n\nEvery reader may ask."
    )
    assert operation["tags"] == ["Library"]


def test_additional_bindings_are_numbered(document: dict[str, Any]) -> None:
    assert document["paths"]["/v1/shelves/{name}/books/{name_1}"]["get"]["operationId"] == "Library_GetBook_1"


def test_one_path_has_one_spelling_for_all_its_methods(document: dict[str, Any]) -> None:
    item = document["paths"]["/v1/books/{book_id}"]

    assert set(item) == {"get", "patch", "delete"}
    assert item["patch"]["parameters"][0]["name"] == "book_id"


def test_query_parameters_are_what_path_and_body_leave(document: dict[str, Any]) -> None:
    listing = document["paths"]["/v1/books"]["get"]["parameters"]
    creating = document["paths"]["/v1/books"]["post"]["parameters"]

    assert [parameter["name"] for parameter in listing] == [
        "pageSize",
        "pageToken",
        "genres",
        "filter.titlePart",
        "filter.labels",
        "addedSince",
    ]
    assert listing[4]["style"] == "deepObject"
    assert [parameter["name"] for parameter in creating] == ["validateOnly"]


def test_an_unset_message_is_nullable_and_a_scalar_is_not(document: dict[str, Any]) -> None:
    book = document["components"]["schemas"]["library.v1.Book"]["properties"]

    assert book["author"]["anyOf"] == [{"$ref": "#/components/schemas/library.v1.Author"}, {"type": "null"}]
    assert book["added"]["type"] == ["string", "null"]
    assert book["loans"] == {
        "type": "string",
        "format": "int64",
        "pattern": "^-?[0-9]+$",
        "description": "How often it was lent.",
    }


def test_field_behavior_shows(document: dict[str, Any]) -> None:
    book = document["components"]["schemas"]["library.v1.Book"]

    assert book["required"] == ["title"]
    assert book["properties"]["bookId"]["readOnly"] is True
    assert document["paths"]["/v1/books"]["post"]["requestBody"]["required"] is True


def test_a_patch_requires_no_field_of_its_body(document: dict[str, Any]) -> None:
    body = document["paths"]["/v1/books/{book_id}"]["patch"]["requestBody"]["content"]["application/json"]["schema"]

    assert "required" not in body
    assert "title" in body["properties"]


def test_a_body_of_everything_leaves_out_what_the_path_holds(document: dict[str, Any]) -> None:
    body = document["paths"]["/v1/books/{book_id}:lend"]["post"]["requestBody"]["content"]["application/json"]

    assert set(body["schema"]["properties"]) == {"reader", "period"}


def test_enums_explain_their_values(document: dict[str, Any]) -> None:
    genre = document["components"]["schemas"]["library.v1.Genre"]

    assert genre["enum"] == ["GENRE_UNSPECIFIED", "GENRE_FICTION", "GENRE_FACTS"]
    assert "- `GENRE_FICTION`: Novels." in genre["description"]


def test_errors_are_google_rpc_status(document: dict[str, Any]) -> None:
    error = document["paths"]["/v1/books"]["get"]["responses"]["default"]["content"]["application/json"]["schema"]

    assert error == {"$ref": "#/components/schemas/google.rpc.Status"}
    assert set(document["components"]["schemas"]["google.rpc.Status"]["properties"]) == {"code", "message", "details"}


def test_streams_are_lines_or_events(document: dict[str, Any]) -> None:
    answers = document["paths"]["/v1/books/{book_id}/chapters"]["get"]["responses"]["200"]["content"]

    assert set(answers) == {"application/json", "application/x-ndjson", "text/event-stream"}
    assert set(answers["application/x-ndjson"]["schema"]["properties"]) == {"result", "error"}


def test_raw_bodies_take_and_give_any_type(document: dict[str, Any]) -> None:
    cover = document["paths"]["/v1/books/{book_id}/cover"]

    assert set(cover["get"]["responses"]["200"]["content"]) == {"*/*"}
    assert set(cover["put"]["requestBody"]["content"]) == {"*/*"}


async def test_a_body_of_many_messages_tells_the_schema_of_one() -> None:
    talks = await describe(contract.talks(), TALKS)
    adding = talks["paths"]["/v1/books:add"]["post"]

    assert set(adding["requestBody"]["content"]) == {"application/json", "application/x-ndjson"}
    assert adding["requestBody"]["content"]["application/x-ndjson"]["schema"] == {
        "$ref": "#/components/schemas/library.v1.Book"
    }
    assert "parameters" not in adding


@pytest.mark.parametrize(("profile", "media_type"), [(DEFAULT, "*/*"), (GRPC_GATEWAY_V2, "application/json")])
async def test_uploads_are_bytes_or_json_as_the_profile_reads_them(profile: Profile, media_type: str) -> None:
    talks = await describe(contract.talks(), TALKS, profile=profile)
    cover = talks["paths"]["/v1/covers/{book_id}"]["put"]["requestBody"]["content"]
    scans = talks["paths"]["/v1/scans"]["post"]["requestBody"]["content"]

    assert next(iter(cover)) == next(iter(scans)) == media_type


async def test_lines_have_a_name_of_their_own_only_where_they_are_sent_so() -> None:
    library = await describe(contract.library(), SERVICE, profile=GRPC_GATEWAY_V2)

    assert set(success(library, "/v1/books/{book_id}/chapters")) == {"application/json", "text/event-stream"}


async def test_a_head_answers_no_body() -> None:
    talks = await describe(contract.talks(), TALKS)
    responses = talks["paths"]["/v1/books/{book_id}"]["head"]["responses"]

    assert all("content" not in response for response in responses.values())


def test_errors_are_told_apart_by_status(document: dict[str, Any]) -> None:
    getting = document["paths"]["/v1/books/{book_id}"]["get"]["responses"]
    favourite = document["paths"]["/v1/books/favourite"]["get"]["responses"]

    assert set(getting) == {"200", "400", "404", "default"}
    assert set(favourite) == {"200", "default"}


@pytest.mark.parametrize(
    "detail",
    [
        {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": "a", "description": "b"}]},
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "GONE", "domain": "books", "metadata": {}},
        {"@type": "type.googleapis.com/library.v1.Chapter", "number": 1, "title": ""},
    ],
)
def test_details_of_an_error_are_described_and_open(document: dict[str, Any], detail: dict[str, Any]) -> None:
    status = {"code": 3, "message": "no", "details": [detail]}

    assert is_valid(document, {"$ref": "#/components/schemas/google.rpc.Status"}, status)
    assert "google.rpc.BadRequest.Detail" in document["components"]["schemas"]


def test_an_error_of_a_stream_is_a_line_if_the_service_says_it(document: dict[str, Any]) -> None:
    responses = document["paths"]["/v1/books/{book_id}/chapters"]["get"]["responses"]
    refused, line = responses["default"]["content"]["application/json"]["schema"]["anyOf"]

    assert refused == {"$ref": "#/components/schemas/google.rpc.Status"}
    assert is_valid(document, line, {"error": {"code": 5, "message": "no such book", "details": []}})
    assert not is_valid(document, line, {"error": "no such book"})
    assert not is_valid(document, line, {})


def test_what_every_operation_takes_stands_among_the_components(document: dict[str, Any]) -> None:
    headers = document["components"]["parameters"]

    assert set(headers) == {"Grpc-Timeout", "traceparent", "tracestate", "x-request-id"}
    assert headers["Grpc-Timeout"]["in"] == "header"


def test_the_host_adds_security_statuses_schemas_and_paths(transcoder: Transcoder) -> None:
    def security(binding: Binding) -> list[dict[str, list[str]]] | None:
        return [] if binding.method.name == "GetFavourite" else [{"bearer": []}]

    def status(binding: Binding) -> int:
        return {"CreateBook": 201, "DeleteBook": 204}.get(binding.method.name, 200)

    document = transcoder.openapi(
        About(
            title="Library",
            version="1",
            servers=["https://books.example"],
            security_schemes={"bearer": {"type": "http", "scheme": "bearer"}},
            security=security,
            success_status=status,
            schemas={"Health": {"type": "object"}},
            paths={"/healthz": {"get": {"operationId": "health", "responses": {"200": {"description": "Well."}}}}},
        )
    )

    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    assert document["paths"]["/v1/books"]["get"]["security"] == [{"bearer": []}]
    assert document["paths"]["/v1/books/favourite"]["get"]["security"] == []
    assert "WWW-Authenticate" in document["paths"]["/v1/books"]["get"]["responses"]["401"]["headers"]
    assert "401" not in document["paths"]["/v1/books/favourite"]["get"]["responses"]
    assert "content" not in document["paths"]["/v1/books/{book_id}"]["delete"]["responses"]["204"]
    assert "201" in document["paths"]["/v1/books"]["post"]["responses"]
    assert "/healthz" in document["paths"]
    assert "Health" in document["components"]["schemas"]
