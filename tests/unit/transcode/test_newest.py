"""Which route a path finds where the last one added wins, in all four ways to decode it. Facts: grpc-gateway v2."""

from dataclasses import replace
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transcode import GRPC_GATEWAY_V2, Decoding
from gateway.transcode.routing.escape import EscapeError
from gateway.transcode.routing.match import BadPathError, NoRouteError, Router, WrongMethodError
from gateway.transcode.routing.newest import NewestFirst
from gateway.transcode.routing.specific import MostSpecific
from gateway.transcode.routing.template import Template, parse_template

LEGACY = Decoding.LEGACY
UNRESERVED = Decoding.ALL_EXCEPT_RESERVED
NO_SLASH = Decoding.ALL_EXCEPT_SLASH
ALL = Decoding.ALL_CHARACTERS


def router(*routes: str, decoding: Decoding = LEGACY) -> Router[Template]:
    """Routes given as `GET /path`; each leads to its own template."""
    made: Router[Template] = NewestFirst(profile=replace(GRPC_GATEWAY_V2, decoding=decoding))
    for route in routes:
        method, _, path = route.partition(" ")
        made.add(method, parse_template(path), parse_template(path))
    return made


def found(path: str, *templates: str, decoding: Decoding = LEGACY) -> tuple[str, dict[str, str]] | None:
    """The template that a GET finds and its variables, or None."""
    try:
        match = router(*(f"GET {template}" for template in templates), decoding=decoding).match("GET", path.encode())
    except (NoRouteError, BadPathError):
        return None
    names = (variable.name for variable in match.target.variables)
    return match.target.text, dict(zip(names, match.values, strict=True))


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("/", "/", {}),
        ("/", "/a", None),
        ("/*", "/abc", {}),
        ("/*", "/", {}),
        ("/*", "/abc/def", None),
        ("/v1", "/v1", {}),
        ("/v1", "/", None),
        ("/v1", "/v2", None),
        ("/v1", "/V1", None),
        ("/v1", "/v1/", None),
        ("/**", "/", {}),
        ("/**", "/abc/def/ghi", {}),
        ("/**/tail", "/tail", {}),
        ("/**/tail", "/abc/def/tail", {}),
        ("/**/tail", "/", None),
        ("/**/tail", "/abc", None),
        ("/**/tail", "/abc/tail/extra", None),
        ("/v1/b/{name=*}", "/v1/b/my-bucket", {"name": "my-bucket"}),
        ("/v1/b/{name=*}", "/v1/b/", {"name": ""}),
        ("/v1/b/{name=*}", "/v1/b", None),
        ("/v1/b/{name=*}", "/v2/b/x", None),
        ("/v1/{a}/{b}", "/v1//x", {"a": "", "b": "x"}),
        ("/v1/{name=o/**}", "/v1/o", {"name": "o/"}),
        ("/v1/{name=o/**}", "/v1/o/", {"name": "o/"}),
        ("/v1/{name=o/**}", "/v1/o/a/b/c", {"name": "o/a/b/c"}),
        ("/v1/{name=o/**}", "/v1", None),
        ("/v1/{name=o/**/.ext}/tail", "/v1/o/a/b/.ext/tail", {"name": "o/a/b/.ext"}),
        ("/v1/{name=o/**/.ext}/tail", "/v1/o/.ext/tail", {"name": "o//.ext"}),
        ("/v2/{name=b/*}/o/{oname=*}", "/v2/b/x/o/y", {"name": "b/x", "oname": "y"}),
        ("/v2/{name=b/*}/o/{oname=*}", "/v2/b/x/o", None),
        ("/{a=**}/{b}/c", "/1/2/3/c", {"a": "1/2", "b": "3"}),
        ("/v1:LOCK", "/v1:LOCK", {}),
        ("/v1:LOCK", "/v1", None),
        ("/v1:LOCK", "/LOCK", None),
        ("/v1:LOCK", "/v1:lock", None),
        ("/:LOCK", "/:LOCK", None),
        ("/{n=*}:LOCK", "/x:LOCK", {"n": "x"}),
        ("/{n=*}:LOCK", "/a:b:LOCK", {"n": "a:b"}),
        ("/{n=*}:LOCK", "/:LOCK", None),
        ("/{n=**}:LOCK", "/a/b:LOCK", {"n": "a/b"}),
        ("/{n=**}:a:b", "/x:a:b", {"n": "x"}),
        ("/v1/{id}", "/v1/a:b:c", {"id": "a:b:c"}),
        ("/v1/{id}:", "/v1/a:", {"id": "a:"}),
        ("/%E7%AC%AC", "/%E7%AC%AC", None),
    ],
)
def test_a_template_matches_decoded_components(template: str, path: str, values: dict[str, str] | None) -> None:
    assert found(path, template) == (None if values is None else (template, values))


@pytest.mark.parametrize(
    ("decoding", "template", "path", "values"),
    [
        (LEGACY, "/foo/{id}/bar", "/foo/a%2Fb/bar", None),
        (LEGACY, "/foo/{a}/{b}", "/foo/a%2fb", {"a": "a", "b": "b"}),
        (LEGACY, "/foo/{id}", "/foo/a%2520b", {"id": "a%20b"}),
        (LEGACY, "/foo/{id}", "/foo/a+b%2B", {"id": "a+b+"}),
        (LEGACY, "/foo/{id}", "/foo/%EA%B0%80", {"id": "가"}),
        (LEGACY, "/foo/{id}:go", "/foo/x%3Ago", {"id": "x"}),
        (UNRESERVED, "/foo/{id}/bar", "/foo/part1%2Fpart2/bar", {"id": "part1/part2"}),
        (UNRESERVED, "/foo/{id=**}", "/foo/test%2Fbar", {"id": "test%2Fbar"}),
        (UNRESERVED, "/foo/{id=**}", "/foo/a%2fb%20%3a", {"id": "a%2fb %3a"}),
        (UNRESERVED, "/foo/{id=p/*/q/*}", "/foo/p/a%20b/q/c%2Fd", {"id": "p/a b/q/c/d"}),
        (UNRESERVED, "/foo/{id}:go", "/foo/x%3Ago", None),
        (NO_SLASH, "/foo/{id=**}", "/foo/a%2Fb%3A%20c", {"id": "a%2Fb: c"}),
        (NO_SLASH, "/foo/{id}", "/foo/a%2Fb", {"id": "a/b"}),
        (ALL, "/foo/{id=**}", "/foo/test%2Fbar", {"id": "test/bar"}),
        (ALL, "/foo/{id}/bar", "/foo/a%2fb/bar", {"id": "a/b"}),
        (ALL, "/foo/{id}/bar", "/foo/a%2Fb/bar", None),
        (ALL, "/v1/{name=o/*}:action", "/v1/o%2Ffoo:action", {"name": "o/foo"}),
        # Go forgets how a path was written when it would write it so itself: such a path is decoded twice.
        (UNRESERVED, "/foo/{id}", "/foo/%2541", {"id": "A"}),
        (UNRESERVED, "/foo/{id}", "/foo/%2541%2f", {"id": "%41/"}),
        (UNRESERVED, "/foo/{id}", "/foo/%2541!", {"id": "%41!"}),
        (ALL, "/foo/{id=**}", "/foo/a%252Fb", {"id": "a/b"}),
    ],
)
def test_each_way_to_decode_captures_its_own(
    decoding: Decoding, template: str, path: str, values: dict[str, str] | None
) -> None:
    assert found(path, template, decoding=decoding) == (None if values is None else (template, values))


@pytest.mark.parametrize("decoding", list(Decoding))
@pytest.mark.parametrize(("path", "told"), [("/foo/%", "%"), ("/foo/%4", "%4"), ("/foo/%zz", "%zz"), ("/%FF", "")])
def test_a_broken_escape_is_an_error(decoding: Decoding, path: str, told: str) -> None:
    with pytest.raises(EscapeError, match="malformed path escape") as caught:
        router("GET /foo/*", "GET /{x}", decoding=decoding).match("GET", path.encode())

    assert told in str(caught.value)


def test_a_path_decoded_twice_may_break_then() -> None:
    with pytest.raises(EscapeError, match='malformed path escape "%"'):
        router("GET /foo/*", decoding=UNRESERVED).match("GET", b"/foo/%25")


OVERLAPPING = ["/a/{x=b/**}", "/a/{x=b/**}/z", "/a/{x=b/**}:verb", "/a/{x=**}", "/a/{x=b/*/**/y}/foo"]


@pytest.mark.parametrize(
    ("path", "templates", "winner"),
    [
        ("/foo", ["/*", "/foo"], "/foo"),
        ("/foo", ["/foo", "/*"], "/*"),
        ("/foo/bar:verb", ["/foo/{id=*}", "/foo/{id=*}:verb"], "/foo/{id=*}:verb"),
        ("/foo/bar:verb", ["/foo/{id=*}:verb", "/foo/{id=*}"], "/foo/{id=*}"),
        ("/foo/bar:a:b", ["/foo/{id=*}", "/foo/{id=*}:a:b"], "/foo/{id=*}:a:b"),
        ("/o:verb", ["/o:verb", "/o", "/d:verb"], "/o:verb"),
        ("/o:verb", ["/o:verb", "/{x}:verb"], "/{x}:verb"),
        ("/o:verb", ["/{x}:erb", "/{x}"], "/{x}"),
        ("/:verb", ["/{x}", "/{x}:verb"], None),
        ("/:verb", ["/{x}:verb", "/{x}"], "/{x}"),
        ("/a/b/c", OVERLAPPING, "/a/{x=**}"),
        ("/a/b/c/z", OVERLAPPING, "/a/{x=**}"),
        ("/a/b/1/2/y/foo", OVERLAPPING, "/a/{x=b/*/**/y}/foo"),
        ("/a/book/c", ["/a/{x}/c", "/{x=**}/c", "/a/b/{x}"], "/{x=**}/c"),
        ("/person:verb", ["/person", "/person/{id=*}", "/{x=**}:verb"], "/{x=**}:verb"),
        ("/person:other", ["/person", "/person/{id=*}", "/{x=**}:verb"], None),
        ("/a/b", ["/a/b", "/a/b"], "/a/b"),
        ("a/b", ["/a/b"], None),
    ],
)
def test_the_last_route_that_fits_wins(path: str, templates: list[str], winner: str | None) -> None:
    match = found(path, *templates)

    assert (match and match[0]) == winner


def test_a_path_of_another_method_says_which() -> None:
    routes = router("DELETE /foo/{id}", "PUT /foo/{id}", "POST /foo/{id}:archive", "GET /bar")

    with pytest.raises(WrongMethodError) as caught:
        routes.match("GET", b"/foo/7")
    with pytest.raises(WrongMethodError) as archived:
        routes.match("PATCH", b"/foo/7:archive")

    assert caught.value.allowed == ("DELETE", "PUT")
    assert archived.value.allowed == ("DELETE", "POST", "PUT")


SEGMENTS = st.sampled_from(["a", "b", "*", "**", "{x}", "{y=a/*}", "{z=**}", "{w=b/**}"])
PATHS = st.text(st.sampled_from(list("ab/:%2Ff5가")), max_size=12).map(lambda text: "/" + text)


@st.composite
def template_texts(draw: st.DrawFn) -> str:
    """Templates of a few segments with one `**` at most."""
    segments = draw(st.lists(SEGMENTS, min_size=1, max_size=4, unique=True))
    deep = [segment for segment in segments if "**" in segment]
    kept = [segment for segment in segments if "**" not in segment or segment == deep[0]]
    return "/" + "/".join(kept) + draw(st.sampled_from(["", ":v"]))


@given(st.lists(template_texts(), min_size=1, max_size=4, unique=True), PATHS, st.sampled_from(list(Decoding)))
def test_both_routers_agree_whether_a_path_exists(templates: list[str], path: str, decoding: Decoding) -> None:
    profile = replace(GRPC_GATEWAY_V2, decoding=decoding)
    outcomes = []
    for made in (NewestFirst[str](profile=profile), MostSpecific[str](profile=profile)):
        for text in dict.fromkeys(templates):
            try:
                made.add("GET", parse_template(text), text)
            except ValueError:  # two spellings of one route, which only one of the two refuses
                continue
        try:
            made.match("GET", path.encode())
            outcomes.append("found")
        except EscapeError:
            return
        except NoRouteError:
            outcomes.append("none")

    assert outcomes[0] == outcomes[1] or path.endswith(":v")


@given(st.lists(st.text(min_size=1, max_size=6).filter(lambda text: text not in (".", "..")), min_size=1, max_size=3))
def test_what_is_quoted_comes_out_as_it_was(words: list[str]) -> None:
    try:
        path = "/v/" + "/".join(quote(word, safe="") for word in words) + "/end%2f"  # an escape that Go would not write
    except UnicodeEncodeError:
        return
    template = "/v/" + "/".join(f"{{n{index}}}" for index in range(len(words))) + "/*"
    match = found(path, template, decoding=UNRESERVED)

    assert match is not None
    assert [value.encode() for value in match[1].values()] == [unquote_to_bytes(quote(word)) for word in words]
