"""JSON values taken out of a body that comes in pieces."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transcode.marshal.split import JsonSplitter


def split(body: bytes, cuts: list[int]) -> list[bytes]:
    """The values of a body that is cut at these places."""
    splitter = JsonSplitter()
    places = sorted({min(cut, len(body)) for cut in cuts})
    pieces = [body[start:stop] for start, stop in zip([0, *places], [*places, len(body)], strict=True)]
    values = [value for piece in pieces for value in splitter.feed(piece)]
    rest = splitter.finish()
    return [*values, rest] if rest else values


@pytest.mark.parametrize(
    ("body", "values"),
    [
        (b"", []),
        (b" \r\n\t", []),
        (b"{}{}", [b"{}", b"{}"]),
        (b'{"a":"}"} [1,"]"]\n"x\\"y" ', [b'{"a":"}"}', b'[1,"]"]', b'"x\\"y"']),
        (b"1 2\n3", [b"1", b"2", b"3"]),
        (b'true"a"null', [b"true", b'"a"', b"null"]),
        (b'"\\\\""b"', [b'"\\\\"', b'"b"']),
        (b"{}]{}", [b"{}", b"]", b"{}"]),
        (b'{"a":', [b'{"a":']),
        (b'"open', [b'"open']),
    ],
)
def test_values_are_told_apart(body: bytes, values: list[bytes]) -> None:
    assert split(body, []) == values
    assert split(body, list(range(len(body)))) == values


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.lists(st.tuples(JSON, st.sampled_from([b" ", b"\n", b"\r\n\t"])), max_size=4),
    st.lists(st.integers(0, 200), max_size=6),
    st.booleans(),
)
def test_values_come_out_as_they_went_in(items: list[tuple[Any, bytes]], cuts: list[int], plain: bool) -> None:
    body = b"".join(
        json.dumps(value, ensure_ascii=plain).encode("utf-8", "surrogatepass") + space for value, space in items
    )

    assert [json.loads(value.decode("utf-8", "surrogatepass")) for value in split(body, cuts)] == [
        value for value, _ in items
    ]


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=4))
def test_no_bytes_break_it_and_where_they_are_cut_does_not_matter(body: bytes, cuts: list[int]) -> None:
    assert split(body, cuts) == split(body, [])


def test_what_is_kept_is_told() -> None:
    splitter = JsonSplitter()
    splitter.feed(b'{} {"a":')

    assert splitter.waiting_bytes == 5
