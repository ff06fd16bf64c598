"""The grammar of path templates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transcode.routing.template import TemplateError, Variable, Wildcard, parse_template

ONE, MANY = Wildcard.ONE, Wildcard.MANY


@pytest.mark.parametrize(
    ("text", "segments", "variables", "verb"),
    [
        ("/", ("",), (), ""),
        ("/:sweep", ("",), (), "sweep"),
        ("//", (ONE,), (), ""),
        ("/v1/books", ("v1", "books"), (), ""),
        ("/v1/*/pages", ("v1", ONE, "pages"), (), ""),
        ("/v1/**:undo", ("v1", MANY), (), "undo"),
        ("/{id}", (ONE,), (Variable(("id",), 0, 1),), ""),
        ("/{id=*}", (ONE,), (Variable(("id",), 0, 1),), ""),
        ("/{id=fixed}", ("fixed",), (Variable(("id",), 0, 1),), ""),
        ("/v1/{a.b.c=x/*/y}/z", ("v1", "x", ONE, "y", "z"), (Variable(("a", "b", "c"), 1, 4),), ""),
        ("/v1/{a}/{b=r/**}", ("v1", ONE, "r", MANY), (Variable(("a",), 1, 2), Variable(("b",), 2, 4)), ""),
        ("/v1/{a=**/end}:go", ("v1", MANY, "end"), (Variable(("a",), 1, 3),), "go"),
        ("/v1/{id}:take:back", ("v1", ONE), (Variable(("id",), 1, 2),), "take:back"),
        ("/v1/a:b:c", ("v1", "a:b"), (), "c"),
        ("/v1/{id}:", ("v1", ONE), (Variable(("id",), 1, 2),), ""),
        ("/v1/{id=a/b:c}", ("v1", "a", "b:c"), (Variable(("id",), 1, 3),), ""),
        ("/k=v&w;x=y:z/tail.txt", ("k=v&w;x=y:z", "tail.txt"), (), ""),
        ("/%e4%bd%a0/-._~!$&'()*+,;=@", ("%e4%bd%a0", "-._~!$&'()*+,;=@"), (), ""),
    ],
)
def test_a_template_is_read_into_segments_variables_and_verb(
    text: str, segments: tuple[object, ...], variables: tuple[Variable, ...], verb: str
) -> None:
    template = parse_template(text)

    assert (template.segments, template.variables, template.verb) == (segments, variables, verb)


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("", 0, "begins with '/'"),
        ("v1/books", 0, "begins with '/'"),
        ("/v1//books", 4, "empty"),
        ("/v1/books/", 10, "empty"),
        ("///", 1, "empty"),
        ("/a?b", 2, "'?' cannot stand"),
        ("/a%", 2, "'%' cannot stand"),
        ("/a%4", 2, "'%' cannot stand"),
        ("/a%zz/b", 2, "'%' cannot stand"),
        ("/café", 4, "cannot stand"),
        ("/{id", 1, "not closed"),
        ("/{id=", 1, "not closed"),
        ("/{id=a/*", 1, "not closed"),
        ("/{}", 2, "no field name"),
        ("/{a.}", 4, "no field name"),
        ("/{a..b}", 4, "no field name"),
        ("/{a-b}", 3, "no field name"),
        ("/{1a}", 2, "no field name"),
        ("/{a=}", 4, "empty"),
        ("/{a={b}}", 4, "inside another"),
        ("/v1{id}", 3, "'{' cannot stand"),
        ("/{a}{b}", 4, "expected '/'"),
        ("/{a}b", 4, "expected '/'"),
        ("/**/**", 4, "only once"),
        ("/**/{a=**}", 7, "only once"),
        ("/{a}/{a}", 5, "stands twice"),
        ("/x:b d", 3, "is no verb"),
    ],
)
def test_a_broken_template_is_refused_with_the_place(text: str, position: int, reason: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_template(text)

    assert reason in caught.value.reason
    assert caught.value.position == position
    assert f"character {position + 1}" in str(caught.value)


LITERALS = st.from_regex(r"\A[a-z][a-z0-9.~_-]{0,6}\Z")
NAMES = st.lists(st.from_regex(r"\A[a-z_][a-z0-9_]{0,5}\Z"), min_size=1, max_size=3).map(tuple)


@st.composite
def templates(draw: st.DrawFn) -> str:
    """The text of a valid template in canonical form."""
    deep_left = True
    names: set[tuple[str, ...]] = set()
    words: list[str] = []

    def plain() -> str:
        nonlocal deep_left
        word = draw(st.one_of(LITERALS, st.just("*"), st.just("**") if deep_left else st.just("*")))
        deep_left = deep_left and word != "**"
        return word

    for _ in range(draw(st.integers(1, 4))):
        name = draw(NAMES)
        if draw(st.booleans()) and name not in names:
            names.add(name)
            inner = "/".join(plain() for _ in range(draw(st.integers(1, 3))))
            words.append("{" + ".".join(name) + "=" + inner + "}")
        else:
            words.append(plain())
    verb = draw(st.one_of(st.just(""), LITERALS))
    return "/" + "/".join(words) + (f":{verb}" if verb else "")


@given(templates())
def test_a_template_is_spelt_as_it_was_read(text: str) -> None:
    assert str(parse_template(text)) == text


@given(st.text(alphabet="/{}=*:%.a1_-é", max_size=20))
def test_any_text_is_either_a_template_or_an_error_with_a_place(text: str) -> None:
    place = 0
    try:
        parse_template("/" + text)
    except TemplateError as error:
        place = error.position

    assert 0 <= place <= len(text) + 1
