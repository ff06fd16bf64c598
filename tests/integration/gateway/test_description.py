"""The description is true: schemathesis asks the whole house what it says, and the command prints what is served."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.databases import DatabaseServer
from tests.deployables import ROOT
from tests.integration.gateway.inhabited import Inhabited, inhabited_house

# These two ask that a description tell every rule of the domain, such as that the end of a time comes after its start.
EXCLUDED_CHECKS = "negative_data_rejection,positive_data_acceptance"
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def inhabited(postgres: DatabaseServer, redis_url: str) -> AsyncIterator[Inhabited]:
    async with inhabited_house(postgres=postgres, redis_url=redis_url) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def document(inhabited: Inhabited) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=inhabited.house.gateway) as client:
        answer = await client.get("/api/v1/openapi.json")
    described: dict[str, Any] = answer.json()
    return described


async def run(*command: str, cwd: Path) -> tuple[int, str]:
    """The exit code and output of `python -m COMMAND`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *command), cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_the_command_prints_what_is_served(document: dict[str, Any]) -> None:
    code, output = await run("gateway", "openapi", cwd=ROOT)

    assert code == 0
    assert json.loads(output) == document


@pytest.mark.timeout(300)  # it sends about 2500 requests; 40 s on two cores of their own
async def test_the_house_answers_as_the_description_says(
    inhabited: Inhabited, document: dict[str, Any], tmp_path: Path
) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(await known_things(inhabited))
    streams = [argument for name in endless(document) for argument in ("--exclude-operation-id", name)]
    code, output = await run(
        *("schemathesis.cli", "--config-file", str(config), "run", f"{inhabited.house.gateway}/api/v1/openapi.json"),
        *("--header", f"Authorization: Bearer {inhabited.token(lifetime_s=3600)}"),
        *("--checks", "all", "--exclude-checks", EXCLUDED_CHECKS, *streams),
        *("--max-examples", "3", "--seed", "1", "--continue-on-failure", "--no-color"),
        cwd=tmp_path,
    )

    assert code == 0, output
    assert f"Tested: {len(list(operations(document))) - len(streams) // 2}" in output


async def known_things(inhabited: Inhabited) -> str:
    """What schemathesis is to use in paths: ids of what is there, but for what would delete it."""
    async with httpx.AsyncClient(base_url=inhabited.house.gateway) as client:
        answer = await client.post(
            "/api/v1/server-groups",
            headers={"Authorization": f"Bearer {inhabited.token(lifetime_s=60)}"},
            json={"serverGroup": {"displayName": "web", "organizationId": inhabited.organization_id}},
        )
    group = answer.json()["serverGroupId"]
    return f"""
        [parameters]
        "path.server_id" = "{inhabited.server_id}"
        "path.organization_id" = "{inhabited.organization_id}"
        "path.server_group_id" = "{group}"

        [[operations]]
        include-method = "DELETE"
        parameters = {{ "path.server_id" = "{UNKNOWN}", "path.server_group_id" = "{UNKNOWN}" }}
    """


def operations(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for item in document["paths"].values():
        yield from item.values()


def endless(document: Mapping[str, Any]) -> Iterator[str]:
    """The ids of streams and sockets."""
    for operation in operations(document):
        answers = {media for answer in operation["responses"].values() for media in answer.get("content", {})}
        if "text/event-stream" in answers or "101" in operation["responses"]:
            yield operation["operationId"]
