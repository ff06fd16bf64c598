"""What a filter becomes in SQL."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.errors import FlickError
from services.auth.filters.conditions import condition
from services.auth.filters.ordering import parse_order

FIELDS = ("display_name", "tags", "category", "server_group", "hostname", "os_type", "create_time", "password", "1=1")
# Every word that a condition may hold. Whatever else comes out of a filter would have come out of its text.
WORDS = re.compile(
    r"(true|and|or|not|exists|select|from|where|as|is|null|in|like|lower|unnest|tag|text|smallint|timestamptz|auth"
    r"|servers|server_groups|display_name|tags|category|hostname|os_type|create_time|server_group_id"
    r"|\$\d+|'\{\}'|''|<>|<=|>=|<|>|=|::|\.|\(|\)|\s)*"
)


@pytest.mark.parametrize(
    ("text", "sql", "arguments"),
    [
        ("", "true", []),
        ("display_name=Web", "(lower(servers.display_name) = lower($6::text))", ["Web"]),
        ("display_name!=Web", "(not (lower(servers.display_name) = lower($6::text)))", ["Web"]),
        ("display_name:eb", "(lower(servers.display_name) like lower($6::text))", ["%eb%"]),
        ("hostname=web*", "(lower(servers.hostname) like lower($6::text))", ["web%"]),
        ("hostname:*web", "(lower(servers.hostname) like lower($6::text))", ["%web"]),
        (r'hostname="50%_\\*"', "(lower(servers.hostname) like lower($6::text))", [r"50\%\_\\%"]),
        ("os_type:*", "(servers.os_type <> '')", []),
        ("tags:*", "(servers.tags <> '{}')", []),
        (
            "tags:role:*",
            "exists (select from unnest(servers.tags) as tag where (tag like lower($6::text)))",
            ["role:%"],
        ),
        ("category=Cloud", "(servers.category = $6::smallint)", [4]),
        ("category != SERVER_CATEGORY_VIRTUAL", "(servers.category <> $6::smallint)", [2]),
        ("category:*", "(servers.category <> $6::smallint)", [0]),
        ("category!=*", "(servers.category = $6::smallint)", [0]),
        ('server_group=""', "(not (servers.server_group_id is not null))", []),
        ("server_group!=*", "(not (servers.server_group_id is not null))", []),
        (
            "create_time >= 2026-01-31",
            "(servers.create_time >= $6::timestamptz)",
            [datetime(2026, 1, 31, tzinfo=UTC)],
        ),
        (
            "create_time<2026-01-31T12:00:00+02:00",
            "(servers.create_time < $6::timestamptz)",
            [datetime(2026, 1, 31, 10, tzinfo=UTC)],
        ),
        (
            "NOT hostname=a OR category=cloud AND hostname=b",
            (
                "(((not (lower(servers.hostname) = lower($6::text))) or (servers.category = $7::smallint))"
                " and (lower(servers.hostname) = lower($8::text)))"
            ),
            ["a", 4, "b"],
        ),
    ],
)
def test_a_filter_becomes_a_condition_with_parameters(text: str, sql: str, arguments: list[object]) -> None:
    made = condition(text, first=6)

    assert (made.text, made.arguments) == (sql, arguments)


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("colour=red", 1, "display_name, tags"),
        ("hostname=a AND secret_sha256:x", 16, "there is no field"),
        ("category=mainframe", 10, "physical, virtual"),
        ("category=clou*", 10, "physical, virtual"),
        ("hostname<a", 1, "not by <"),
        ("category>cloud", 1, "not by >"),
        ("create_time:2026", 1, "not by :"),
        ("create_time>soon", 13, "2026-01-31"),
        ("create_time>2026*", 13, "2026-01-31"),
        ("create_time>0001-01-01T00:00:00+14:00", 13, "2026-01-31"),
        ("create_time=2026-13-01", 13, "2026-01-31"),
    ],
)
def test_what_can_not_be_compared_is_told_with_its_position(text: str, position: int, words: str) -> None:
    with pytest.raises(FlickError) as caught:
        condition(text, first=1)

    assert f"at character {position}:" in caught.value.public
    assert words in caught.value.public


@given(
    st.lists(
        st.sampled_from(["AND", "OR", "NOT", "(", ")", "'", '"', ";", "--", "$1", "null", "%s", *FIELDS])
        | st.builds(
            "{}{}{}".format,
            st.sampled_from(FIELDS),
            st.sampled_from(["=", "!=", ":", "<", ">="]),
            st.text(max_size=10)
            | st.sampled_from(["'; drop table x; --'", '"$1"', "*a", "cloud", "2026-01-01", "') or true --"]),
        ),
        max_size=8,
    ).map(" ".join)
)
def test_nothing_of_the_text_gets_into_the_statement(text: str) -> None:
    try:
        made = condition(text, first=1)
    except FlickError:
        return

    assert WORDS.fullmatch(made.text), made.text
    places = {int(number) for number in re.findall(r"\$(\d+)", made.text)}
    assert places == set(range(1, len(made.arguments) + 1))


@pytest.mark.parametrize(
    ("text", "key", "descending"),
    [
        ("", "lower(display_name)", False),
        (" hostname ", "lower(hostname)", False),
        ("hostname asc", "lower(hostname)", False),
        ("create_time DESC", "create_time", True),
        ("category desc", "category", True),
    ],
)
def test_an_order_is_one_of_a_list(text: str, key: str, descending: bool) -> None:
    order = parse_order(text)

    assert (order.key, order.descending) == (key, descending)


@pytest.mark.parametrize(
    "text", ["colour", "hostname down", "hostname, os_type", "hostname desc desc", "x" * 101, "hostname;", "1"]
)
def test_no_other_order_is_taken(text: str) -> None:
    with pytest.raises(FlickError) as caught:
        parse_order(text)

    assert caught.value.violations[0].field == "order_by"


def test_a_key_is_the_same_after_its_page_token() -> None:
    moment = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)

    for text, value in (("create_time", moment), ("category", 4), ("hostname", "웹 \\ '"), ("display_name", "")):
        order = parse_order(text)

        assert order.read(order.write(value)) == value
