"""Lists of servers, filtered and sorted."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flick.errors import FlickError, Kind
from flick.v1 import servers_pb2
from services.auth.filters.conditions import condition
from tests.integration.auth.house import AuthHouse, Person, refusal
from tests.integration.auth.test_server_groups import create
from tests.integration.auth.test_servers import edit, list_servers

FLEET: dict[str, dict[str, Any]] = {
    "web-1": {"tags": ["env:prod", "role:web"], "category": servers_pb2.SERVER_CATEGORY_CLOUD},
    "web-2": {"tags": ["env:test", "role:web"], "category": servers_pb2.SERVER_CATEGORY_VIRTUAL},
    "DB_1": {"tags": ["env:prod", "role:db"], "category": servers_pb2.SERVER_CATEGORY_PHYSICAL},
    "서버 하나": {"tags": ["한국"], "category": servers_pb2.SERVER_CATEGORY_UNSPECIFIED},
    "100%": {},
}


async def settle(house: AuthHouse, owner: Person) -> str:
    """The fleet, of which the web servers are in a group, whose id is returned."""
    group_id = (await create(house, owner, "Web farm")).server_group_id
    for name, said in FLEET.items():
        server_id = (await house.server(owner, hostname=f"{name.lower()}.example")).server.server_id
        group = {"server_group_id": group_id if name.startswith("web") else ""}
        paths = ["display_name", *said, *group]
        await edit(house, owner, server_id, paths, display_name=name, **said, **group)
    return group_id


async def names(house: AuthHouse, person: Person, text: str, order_by: str = "") -> list[str]:
    return [one.display_name for one in (await list_servers(house, person, filter=text, order_by=order_by)).servers]


async def test_filters_find_what_they_say(house: AuthHouse, owner: Person) -> None:
    group_id = await settle(house, owner)
    everybody = ["100%", "DB_1", "web-1", "web-2", "서버 하나"]
    expected = {
        "": everybody,
        "display_name=WEB-1": ["web-1"],
        "display_name=web*": ["web-1", "web-2"],
        "display_name:b_": ["DB_1"],
        'display_name="*%"': ["100%"],
        r'display_name="\*%"': [],
        "display_name:하나": ["서버 하나"],
        "hostname=*.example": everybody,
        "tags:env:prod": ["DB_1", "web-1"],
        "tags:ENV:*": ["DB_1", "web-1", "web-2"],
        "tags=env": [],
        "tags:한국": ["서버 하나"],
        "NOT tags:*": ["100%"],
        "tags!=role:web": ["100%", "DB_1", "서버 하나"],
        "category=cloud OR category=physical": ["DB_1", "web-1"],
        "category:*": ["DB_1", "web-1", "web-2"],
        'server_group="web farm"': ["web-1", "web-2"],
        f"server_group={group_id}": ["web-1", "web-2"],
        "server_group:farm": ["web-1", "web-2"],
        'server_group=""': ["100%", "DB_1", "서버 하나"],
        "server_group!=nobody": everybody,
        "NOT server_group:*": ["100%", "DB_1", "서버 하나"],
        "create_time>2020-01-01": everybody,
        "create_time<2020-01-01": [],
        "tags:env:prod AND NOT server_group:* OR category=virtual": ["DB_1"],
        "(tags:env:prod AND NOT server_group:*) OR category=virtual": ["DB_1", "web-2"],
    }

    found = {text: await names(house, owner, text) for text in expected}

    assert found == expected


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ("display_name desc", ["서버 하나", "web-2", "web-1", "DB_1", "100%"]),
        ("hostname", ["100%", "DB_1", "web-1", "web-2", "서버 하나"]),
        ("create_time", ["web-1", "web-2", "DB_1", "서버 하나", "100%"]),
        ("create_time desc", ["100%", "서버 하나", "DB_1", "web-2", "web-1"]),
        ("category desc", ["web-1", "web-2", "DB_1", "100%", "서버 하나"]),
    ],
)
async def test_a_sorted_list_comes_whole_page_by_page(
    house: AuthHouse, owner: Person, order_by: str, expected: list[str]
) -> None:
    await settle(house, owner)

    listed: list[str] = []
    token = ""
    while True:
        page = await list_servers(house, owner, order_by=order_by, page_size=2, page_token=token)
        listed += [one.display_name for one in page.servers]
        token = page.next_page_token
        if not token:
            break

    assert listed == expected


async def test_a_page_belongs_to_its_filter_and_order(house: AuthHouse, owner: Person) -> None:
    await settle(house, owner)
    token = (await list_servers(house, owner, filter="hostname:e", page_size=1)).next_page_token

    for fields in ({}, {"filter": "hostname:x"}, {"filter": "hostname:e", "order_by": "hostname"}):
        error = await refusal(list_servers(house, owner, page_size=1, page_token=token, **fields))
        assert (error.kind, error.violations[0].field) == (Kind.INVALID_ARGUMENT, "page_token")


async def test_a_filter_shows_nobody_elses_servers(house: AuthHouse, owner: Person) -> None:
    await settle(house, owner)
    stranger = await house.person()
    group_id = await settle(house, stranger)

    for text in ("display_name:*", "create_time>2000-01-01 OR tags:*", f"server_group={group_id}", "NOT tags:x"):
        found = (await list_servers(house, owner, filter=text)).servers

        assert {one.organization_id for one in found} <= {str(owner.organization_id)}


async def test_what_is_wrong_with_a_filter_is_told(house: AuthHouse, owner: Person) -> None:
    error = await refusal(list_servers(house, owner, filter="tags:a AND colour=red"))

    assert (error.kind, error.violations[0].field) == (Kind.INVALID_ARGUMENT, "filter")
    assert "at character 12:" in error.public


VALUES = st.text(max_size=8) | st.sampled_from(["*", "cloud", "web*", "2026-01-01", "env:prod", '"a b"', "' or 1=1 --"])
COMPARISONS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["display_name", "tags", "category", "server_group", "hostname", "os_type", "create_time"]),
    st.sampled_from(["=", "!=", ":", "<", ">="]),
    VALUES,
)
FILTERS = st.lists(COMPARISONS | st.sampled_from(["AND", "OR", "NOT", "(", ")"]), min_size=1, max_size=9).map(" ".join)


async def test_no_filter_fails_in_the_database(house: AuthHouse) -> None:
    """Whatever is taken can be run, is never null, and so is the opposite of its negation."""
    statement = "select count(*) as all, count(*) filter (where {0}) as some, count(*) filter (where not {0}) as rest "
    ran: list[str] = []
    loop = asyncio.get_running_loop()

    @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
    @given(FILTERS | COMPARISONS)
    def run(text: str) -> None:
        try:
            made = condition(text, first=1)
        except FlickError:
            return
        counting = statement.format(made.text) + "from auth.servers"
        row = asyncio.run_coroutine_threadsafe(house.sql(counting, *made.arguments, as_service=True), loop).result(30)[
            0
        ]
        ran.append(text)

        assert row["some"] + row["rest"] == row["all"]

    await asyncio.to_thread(run)

    assert ran
