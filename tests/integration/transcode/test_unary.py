"""Unary calls from HTTP to a real gRPC server and back."""

import httpx

from tests.integration.transcode.library import Backend


async def test_a_get_becomes_a_call_and_its_answer_json_with_nulls(http: httpx.AsyncClient) -> None:
    response = await http.get("/v1/books/42")

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {
        "bookId": "42",
        "title": "Dune",
        "author": None,
        "loans": "7",
        "genre": "GENRE_UNSPECIFIED",
        "added": None,
        "labels": {},
        "mask": [],
    }


async def test_the_literal_route_wins_over_the_variable(http: httpx.AsyncClient) -> None:
    response = await http.get("/v1/books/favourite")

    assert response.json()["title"] == "Momo"


async def test_an_additional_binding_reaches_the_same_method(http: httpx.AsyncClient) -> None:
    response = await http.get("/v1/shelves/1/books/a%2Fb")

    assert response.json()["bookId"] == "shelves/1/books/a%2Fb"


async def test_a_single_segment_is_decoded_once_and_in_full(http: httpx.AsyncClient) -> None:
    response = await http.get("/v1/books/a%2Fb%2520c")

    assert response.json()["bookId"] == "a/b%20c"


async def test_a_service_chooses_created_by_metadata(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/books?validateOnly=true", json={"title": "Emma", "loans": "3"})

    assert response.status_code == 201
    assert response.headers["grpc-metadata-location"] == "/v1/books/9"
    assert "grpc-metadata-x-http-code" not in response.headers
    assert response.json()["loans"] == "3"


async def test_a_service_chooses_no_content_by_metadata(http: httpx.AsyncClient) -> None:
    response = await http.delete("/v1/books/1")

    assert response.status_code == 204
    assert response.content == b""


async def test_a_patch_derives_its_mask_from_the_body(http: httpx.AsyncClient) -> None:
    body = {"title": "Emma", "author": {"displayName": "Austen", "address": {"city": "Bath"}}, "labels": {"a": "b"}}
    response = await http.patch("/v1/books/7", json=body)

    assert response.json()["mask"] == ["author.address.city", "author.display_name", "labels", "title"]
    assert response.json()["bookId"] == "7"


async def test_a_mask_in_the_query_replaces_the_derived_one(http: httpx.AsyncClient) -> None:
    response = await http.patch("/v1/books/7?updateMask=title", json={"title": "Emma", "loans": "1"})

    assert response.json()["mask"] == ["title"]


async def test_a_verb_route_takes_the_whole_body(http: httpx.AsyncClient, backend: Backend) -> None:
    await http.post("/v1/books/7:lend", json={"bookId": "8", "reader": "Ada", "period": "1.5s"})
    name, request, _ = backend.calls[-1]

    assert (name, request.book_id, request.reader) == ("LendBook", "7", "Ada")
    assert (request.period.seconds, request.period.nanos) == (1, 500_000_000)
