"""Filters as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.errors import FlickError, Kind
from services.auth.filters.parser import (
    MAX_COMPARISONS,
    MAX_DEPTH,
    MAX_LENGTH,
    All,
    Comparison,
    Node,
    Not,
    Some,
    parse,
)


def shown(node: Node | None) -> str:
    """A tree in short, fully parenthesised; wildcards as `*`."""
    if node is None:
        return ""
    if isinstance(node, Comparison):
        start, end = "*" if node.value.open_start else "", "*" if node.value.open_end else ""
        return f"{node.field}{node.operator}{start}{node.value.text}{end}"
    if isinstance(node, Not):
        return f"!{shown(node.part)}"
    assert isinstance(node, All | Some)
    return "(" + (" & " if isinstance(node, All) else " | ").join(map(shown, node.parts)) + ")"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", ""),
        (" \t\n ", ""),
        ("a=b", "a=b"),
        ("  a  =  b  ", "a=b"),
        ("a != b", "a!=b"),
        ("a:b", "a:b"),
        ("tags:role:db", "tags:role:db"),
        ("tags=a=b", "tags=a=b"),
        ("t >= 2026-01-31T12:00:00Z", "t>=2026-01-31T12:00:00Z"),
        ("t<1 AND t<=2 AND t>3 AND t>=4", "(t<1 & t<=2 & t>3 & t>=4)"),
        ('a="b c"', "a=b c"),
        ("a='b c'", "a=b c"),
        ('a=""', "a="),
        ('a="it\'s"', "a=it's"),
        (r'a="say \"x\" \\ \*"', r'a=say "x" \ *'),
        ("a=web*", "a=web*"),
        ("a=*web", "a=*web"),
        ('a="*web*"', "a=*web*"),
        ("a:*", "a:*"),
        ("a:**", "a:**"),
        ("a=서버", "a=서버"),
        ("a=\u1109\u1165", "a=서"),
        ("a=1 AND b=2", "(a=1 & b=2)"),
        ("a=1 OR b=2", "(a=1 | b=2)"),
        ("a=1 AND b=2 OR c=3", "(a=1 & (b=2 | c=3))"),
        ("a=1 OR b=2 AND c=3", "((a=1 | b=2) & c=3)"),
        ("(a=1 AND b=2) OR c=3", "((a=1 & b=2) | c=3)"),
        ("NOT a=1", "!a=1"),
        ("NOT a=1 AND NOT (b=2 OR c=3)", "(!a=1 & !(b=2 | c=3))"),
        ("(((a=1)))", "a=1"),
        ("(a=1)AND(b=2)", "(a=1 & b=2)"),
        ("a=AND", "a=AND"),
        ('a="OR"', "a=OR"),
        ("a==b", "a==b"),
    ],
)
def test_a_filter_is_read_as_it_is_meant(text: str, tree: str) -> None:
    assert shown(parse(text)) == tree


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("web", 4, "after 'web'"),
        ("a=1 b=2", 5, "AND, OR or the end"),
        ("a=1 and b=2", 5, "AND, OR or the end"),
        ("a=", 3, "a value"),
        ("=b", 1, "a field"),
        ("AND a=1", 1, "a field"),
        ("a=1 AND", 8, "the filter ends; a field"),
        ("a=1 OR OR b=2", 8, "a field"),
        ("NOT NOT a=1", 5, "a field"),
        ("(a=1", 5, ")"),
        ("a=1)", 4, "AND, OR or the end"),
        ("()", 2, "a field"),
        ('a="b', 3, "no closing"),
        ('a="b\\"', 3, "no closing"),
        ("a=b*c", 3, "beginning and the end"),
        ('a="b\\*" AND c="d*e"', 15, "beginning and the end"),
        ("a=x); drop table auth.servers; --", 4, "AND, OR or the end"),
        ('a="b\x01"', 3, "control"),
        ("a='b\0'", 3, "control"),
    ],
)
def test_what_is_wrong_is_told_with_its_position(text: str, position: int, words: str) -> None:
    with pytest.raises(FlickError) as caught:
        parse(text)

    assert caught.value.kind is Kind.INVALID_ARGUMENT
    assert caught.value.violations[0].field == "filter"
    assert f"at character {position}:" in caught.value.public
    assert words in caught.value.public


def test_length_depth_and_count_are_bounded() -> None:
    parse("(" * MAX_DEPTH + "a=1" + ")" * MAX_DEPTH)
    parse(" AND ".join(["a=1"] * MAX_COMPARISONS))
    for text in (
        "a=" + "x" * MAX_LENGTH,
        "(" * (MAX_DEPTH + 1) + "a=1" + ")" * (MAX_DEPTH + 1),
        " AND ".join(["a=1"] * (MAX_COMPARISONS + 1)),
    ):
        with pytest.raises(FlickError):
            parse(text)


@given(st.text(max_size=80) | st.text("ab ANDORNT()=!:<>*\"'\\", max_size=80))
def test_every_text_is_read_or_refused(text: str) -> None:
    fields = {"filter"}
    try:
        parse(text)
    except FlickError as error:
        fields = {violation.field for violation in error.violations}

    assert fields == {"filter"}
