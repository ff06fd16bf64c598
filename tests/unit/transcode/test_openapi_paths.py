"""Path templates as the OpenAPI document spells them."""

import pytest

from gateway.transcode.openapi.paths import PathNames
from gateway.transcode.routing.template import parse_template

# Template, path, and of each parameter its name and the field path that it is a part of.
PATHS = [
    ("/v1/members", "/v1/members", []),
    ("/v1/members/{id}", "/v1/members/{id}", [("id", "id")]),
    ("/v1/members/{member.id}", "/v1/members/{member.id}", [("member.id", "member.id")]),
    ("/v1/{name=clubs/*}", "/v1/clubs/{name}", [("name", "name")]),
    ("/v1/{name=clubs/*/teams/*}", "/v1/clubs/{name}/teams/{name_1}", [("name", "name"), ("name_1", "name")]),
    ("/v1/{name=a/*/b/*/c/*}", "/v1/a/{name}/b/{name_1}/c/{name_2}", [(name, "name") for name in
        ("name", "name_1", "name_2")]),
    ("/v1/{club}/teams/{team}", "/v1/{club}/teams/{team}", [("club", "club"), ("team", "team")]),
    ("/v1/{club=clubs/*}/teams/{team}", "/v1/clubs/{club}/teams/{team}", [("club", "club"), ("team", "team")]),
    ("/v1/{name=files/**}", "/v1/files/{name}", [("name", "name")]),
    ("/v1/{name=files/**}:read", "/v1/files/{name}:read", [("name", "name")]),
    ("/v1/{name_1}/{name=a/*/b/*}", "/v1/{name_1}/a/{name}/b/{name_2}", [
        ("name_1", "name_1"), ("name", "name"), ("name_2", "name")]),
    ("/v1/{a=x/*/y/*}/{a_b}", "/v1/x/{a}/y/{a_1}/{a_b}", [("a", "a"), ("a_1", "a"), ("a_b", "a_b")]),
    ("/v1/*/{id}", "/v1/{segment}/{id}", [("segment", ""), ("id", "id")]),
]  # fmt: skip


@pytest.mark.parametrize(("template", "path", "parameters"), PATHS, ids=[template for template, _, _ in PATHS])
def test_variables_of_several_segments_are_expanded(
    template: str, path: str, parameters: list[tuple[str, str]]
) -> None:
    spelt = PathNames(dots=True).spell(parse_template(template))

    assert spelt.text == path
    assert [(one.name, ".".join(one.variable)) for one in spelt.parameters] == parameters


def test_what_may_hold_several_segments_is_marked() -> None:
    spelt = PathNames(dots=True).spell(parse_template("/v1/{shelf}/{name=files/**}"))

    assert [one.deep for one in spelt.parameters] == [False, True]


def test_names_without_dots_stay_different() -> None:
    spelt = PathNames(dots=False).spell(parse_template("/v1/{a_b}/{a.b}/{c.d}"))

    assert spelt.text == "/v1/{a_b}/{a_b_1}/{c_d}"
    assert [".".join(one.variable) for one in spelt.parameters] == ["a_b", "a.b", "c.d"]


def test_templates_of_one_shape_share_the_names_of_the_first() -> None:
    names = PathNames(dots=True)
    names.spell(parse_template("/v1/books/{id}"))
    second = names.spell(parse_template("/v1/books/{book.id}"))

    assert second.text == "/v1/books/{id}"
    assert second.parameters[0].variable == ("book", "id")
