"""Which route a path finds, and what its variables hold."""

import itertools
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.transcode import DEFAULT
from gateway.transcode.routing.escape import EscapeError
from gateway.transcode.routing.match import (
    BadPathError,
    DuplicateRouteError,
    NoRouteError,
    Router,
    WrongMethodError,
)
from gateway.transcode.routing.specific import MostSpecific
from gateway.transcode.routing.template import parse_template


def router(*routes: str, allow_empty: bool = False) -> Router[str]:
    """Routes given as `GET /path`; each leads to its own text."""
    made: Router[str] = MostSpecific(profile=replace(DEFAULT, empty_segments_match=allow_empty))
    for route in routes:
        method, _, path = route.partition(" ")
        made.add(method, parse_template(path), route)
    return made


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("/", "/", ()),
        ("/v1", "/v1", ()),
        ("/*", "/x", ()),
        ("/**", "/", ()),
        ("/**", "/a/b/c", ()),
        ("/**/tail", "/tail", ()),
        ("/**/tail", "/a/b/tail", ()),
        ("/v1/{id}", "/v1/7", ("7",)),
        ("/v1/{id}", "/v1/a:b:c", ("a:b:c",)),
        ("/v1/{id}:lend", "/v1/7:lend", ("7",)),
        ("/v1/{id}:lend", "/v1/a:b:lend", ("a:b",)),
        ("/v1/{id}:a:b", "/v1/7:a:b", ("7",)),
        ("/v1:lock", "/v1:lock", ()),
        ("/v2/{a=x/*}/y/{b}", "/v2/x/1/y/2", ("x/1", "2")),
        ("/v1/{name=o/**}", "/v1/o/a/b", ("o/a/b",)),
        ("/v1/{name=o/**}", "/v1/o", ("o/",)),
        ("/v1/{name=o/**/.ext}/tail", "/v1/o/a/b/.ext/tail", ("o/a/b/.ext",)),
        ("/v1/{a=**}/{b}/end", "/v1/1/2/3/end", ("1/2", "3")),
        ("/v1/{a=**}/x/*", "/v1/1/2/x/9", ("1/2",)),
        ("/v1/{id}", "/v1/a%2Fb", ("a/b",)),
        ("/v1/{id}", "/v1/a%2520b", ("a%20b",)),
        ("/v1/{id}", "/v1/a+b", ("a+b",)),
        ("/v1/{id}", "/v1/%EA%B0%80", ("가",)),
        ("/v1/{id=**}", "/v1/a%2Fb%20c", ("a%2Fb c",)),
        ("/v1/{id=**}", "/v1/%21%3a%5D", ("%21%3a%5D",)),
        ("/v1/{id=x/*}", "/v1/x/a%2fb", ("x/a%2fb",)),
    ],
)
def test_a_path_is_matched_and_decoded_once(template: str, path: str, values: tuple[str, ...]) -> None:
    assert router(f"GET {template}").match("GET", path.encode()).values == values


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/", "/x"),
        ("/*", "/"),
        ("/*", "/a/b"),
        ("/v1", "/V1"),
        ("/v1", "/v1/"),
        ("/v1", "/%761"),
        ("/v1/{id}", "/v1"),
        ("/v1/{id}", "/v1/"),
        ("/v1/{id}", "/v1//"),
        ("/v1/{a}/{b}", "/v1//b"),
        ("/v1/{id}:lend", "/v1/7"),
        ("/v1/{id}:lend", "/v1/:lend"),
        ("/v1/{id=**}", "/v1"),
        ("/v1/{id=**}", "/v1/"),
        ("/v1:lock", "/v1"),
        ("/**/tail", "/tail/more"),
        ("/v1/{name=o/**}", "/v1/p/a"),
        ("/v1/{a=x/*/y}", "/v1/x/y"),
    ],
)
def test_a_path_that_does_not_fit_is_not_found(template: str, path: str) -> None:
    with pytest.raises(NoRouteError):
        router(f"GET {template}").match("GET", path.encode())


def test_empty_segments_match_where_the_profile_says_so() -> None:
    lenient = router("GET /v1/{a}/{b}", "GET /v2/{a=**}", allow_empty=True)

    assert lenient.match("GET", b"/v1//x").values == ("", "x")
    assert lenient.match("GET", b"/v2/").values == ("",)


@pytest.mark.parametrize(
    ("routes", "path", "winner"),
    [
        (["GET /a/{x}", "GET /a/me"], "/a/me", "GET /a/me"),
        (["GET /a/{x}", "GET /a/me"], "/a/you", "GET /a/{x}"),
        (["GET /a/{x=**}", "GET /a/{x}"], "/a/1", "GET /a/{x}"),
        (["GET /a/{x=**}", "GET /a/{x=b/**}/z"], "/a/b/1/z", "GET /a/{x=b/**}/z"),
        (["GET /a/{x=**}", "GET /a/{x=b/**}/z"], "/a/b/1", "GET /a/{x=**}"),
        (["GET /{x}/b", "GET /a/{y}"], "/a/b", "GET /a/{y}"),
        (["GET /a/{x}/c", "GET /a/b/d"], "/a/b/c", "GET /a/{x}/c"),
        (["GET /a/{x}", "GET /a/{x}:go"], "/a/1:go", "GET /a/{x}:go"),
        (["GET /a/{x}", "GET /a/{x}:go"], "/a/1:stay", "GET /a/{x}"),
        (["GET /a/{x}:b", "GET /a/{x}:a:b"], "/a/1:a:b", "GET /a/{x}:a:b"),
        (["GET /**", "GET /**/z"], "/q/z", "GET /**/z"),
        (["GET /**/*", "GET /**/z"], "/q/z", "GET /**/z"),
    ],
)
def test_the_most_specific_route_wins_in_every_order_of_registration(routes: list[str], path: str, winner: str) -> None:
    found = {router(*order).match("GET", path.encode()).target for order in itertools.permutations(routes)}

    assert found == {winner}


def test_another_method_is_refused_with_those_that_exist() -> None:
    made = router("GET /a/{x}", "PATCH /a/{x}", "DELETE /b")

    with pytest.raises(WrongMethodError) as caught:
        made.match("PUT", b"/a/1")

    assert caught.value.allowed == ("GET", "PATCH")


def test_a_path_without_a_leading_slash_is_refused() -> None:
    with pytest.raises(BadPathError):
        router("OPTIONS /**").match("OPTIONS", b"*")


@pytest.mark.parametrize("path", [b"/v1/%", b"/v1/%4", b"/v1/%zz", b"/v1/a%2", b"/v1/%FF", b"/v1/%C3%28", b"/v1/\xff"])
def test_a_broken_escape_in_a_variable_is_refused(path: bytes) -> None:
    with pytest.raises(EscapeError, match="malformed path escape"):
        router("GET /v1/{id}").match("GET", path)


def test_a_broken_escape_is_refused_wherever_it_stands() -> None:
    with pytest.raises(EscapeError, match="%zz"):
        router("GET /v1/*").match("GET", b"/v1/%zz")
    with pytest.raises(EscapeError, match="%4"):
        router("GET /v1").match("GET", b"/v2/%4")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("GET /a/{x}", "GET /a/{y}"),
        ("GET /a/{x=*}", "GET /a/*"),
        ("GET /{x=a/b}", "GET /a/b"),
        ("GET /a/{x=**}/z:v", "GET /a/**/{y=z}:v"),
    ],
)
def test_two_routes_for_the_same_paths_are_refused(first: str, second: str) -> None:
    with pytest.raises(DuplicateRouteError):
        router(first, second)


SEGMENTS = st.text(min_size=1, max_size=8).filter(lambda text: ":" not in text)


@given(st.lists(SEGMENTS, min_size=1, max_size=4))
def test_whatever_a_client_escapes_arrives_unchanged(values: list[str]) -> None:
    try:
        path = "/v1/" + "/".join(quote(value, safe="") for value in values)
    except UnicodeEncodeError:
        assume(False)
    template = "/v1/" + "/".join(f"{{v{index}}}" for index in range(len(values)))

    assert router(f"GET {template}").match("GET", path.encode()).values == tuple(values)


@given(st.binary(max_size=30))
def test_no_path_breaks_the_router(path: bytes) -> None:
    made = router("GET /a/{x}", "GET /a/{x=**}:v", "POST /**", "GET /{a=**}/b/{c}")
    for method in ("GET", "POST", "PUT"):
        try:
            made.match(method, path)
        except (BadPathError, NoRouteError, WrongMethodError, EscapeError):
            continue
