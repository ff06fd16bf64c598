"""The registry over REST: a real gateway before a real auth."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from tests.integration.auth.house import AuthHouse, Person
from tests.integration.gateway.running import run_gateway
from tests.integration.gateway.scripted import make_backends


@pytest_asyncio.fixture(loop_scope="session")
async def rest(house: AuthHouse, owner: Person) -> AsyncIterator[httpx.AsyncClient]:
    """The owner's calls."""
    backends = make_backends({})
    backends.auth_address = backends.query_address = house.address  # query is not asked here
    async with (
        run_gateway(backends) as gateway,
        httpx.AsyncClient(base_url=f"{gateway.url}/api/v1", headers=dict(owner.metadata)) as client,
    ):
        yield client


async def test_a_server_is_described_and_grouped(house: AuthHouse, owner: Person, rest: httpx.AsyncClient) -> None:
    server_id = (await house.server(owner)).server.server_id
    group = (await rest.post("/server-groups", json={"serverGroup": {"displayName": "Web"}})).json()
    said = {"tags": ["env:prod"], "category": "SERVER_CATEGORY_CLOUD", "serverGroupId": group["serverGroupId"]}

    patched = await rest.patch(f"/servers/{server_id}", json=said)

    assert patched.status_code == 200, patched.text
    assert {key: patched.json()[key] for key in said} == said
    listed = (await rest.get("/server-groups")).json()["serverGroups"]
    assert [(one["displayName"], one["serverCount"]) for one in listed] == [("Web", 1)]
    assert (await rest.delete(f"/server-groups/{group['serverGroupId']}")).status_code == 200
    assert (await rest.get(f"/servers/{server_id}")).json().get("serverGroupId", "") == ""


async def test_a_null_empties_a_field(house: AuthHouse, owner: Person, rest: httpx.AsyncClient) -> None:
    server_id = (await house.server(owner)).server.server_id
    await rest.patch(f"/servers/{server_id}", json={"tags": ["a"], "description": "b"})

    patched = await rest.patch(f"/servers/{server_id}", json={"tags": None})

    assert patched.status_code == 200, patched.text
    assert (patched.json().get("tags", []), patched.json()["description"]) == ([], "b")


async def test_a_taken_name_is_a_conflict(rest: httpx.AsyncClient) -> None:
    await rest.post("/server-groups", json={"serverGroup": {"displayName": "Web"}})

    again = await rest.post("/server-groups", json={"serverGroup": {"displayName": "web"}})

    assert again.status_code == 409


async def test_a_setting_is_set_and_by_null_inherited_again(
    house: AuthHouse, owner: Person, rest: httpx.AsyncClient
) -> None:
    server_id = (await house.server(owner)).server.server_id
    organization = f"/organizations/{owner.organization_id}/settings"
    await rest.patch(organization, json={"retentionDays": 90, "metricInterval": "10s"})

    own = (await rest.patch(f"/servers/{server_id}/settings", json={"retentionDays": 7})).json()
    inherited = (await rest.patch(f"/servers/{server_id}/settings", json={"retentionDays": None})).json()

    assert (own["retentionDays"], own["levels"]["retention_days"]) == (7, "SETTINGS_LEVEL_SERVER")
    assert (inherited["retentionDays"], inherited["levels"]["retention_days"]) == (90, "SETTINGS_LEVEL_ORGANIZATION")
    assert inherited["metricInterval"] == "10s"


async def test_the_list_is_filtered_and_what_is_wrong_with_a_filter_is_told(
    house: AuthHouse, owner: Person, rest: httpx.AsyncClient
) -> None:
    server_id = (await house.server(owner)).server.server_id
    await house.server(owner)
    await rest.patch(f"/servers/{server_id}", json={"tags": ["env:prod"]})

    found = await rest.get(
        "/servers", params={"filter": "tags:env:prod AND NOT category:*", "orderBy": "hostname desc"}
    )
    wrong = await rest.get("/servers", params={"filter": "tags:env:prod AND"})

    assert [one["serverId"] for one in found.json()["servers"]] == [server_id]
    assert wrong.status_code == 400
    assert "at character 18:" in wrong.text


async def test_several_servers_are_changed_alike(house: AuthHouse, owner: Person, rest: httpx.AsyncClient) -> None:
    server_ids = [(await house.server(owner)).server.server_id for _ in range(2)]
    asked = {"serverIds": server_ids, "addTags": ["env:prod"], "settings": {}, "settingsMask": "retentionDays"}

    answer = await rest.post("/servers:batchUpdate", json=asked)

    assert (answer.status_code, answer.json()) == (200, {"serverCount": 2})
    listed = (await rest.get("/servers", params={"filter": "tags:env:prod"})).json()["servers"]
    assert {one["serverId"] for one in listed} == set(server_ids)
