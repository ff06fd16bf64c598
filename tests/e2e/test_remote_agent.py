"""A second server joins over TLS from another host: a network namespace with addresses of its own."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.e2e.installation import COMMANDS, Installation, flick_up
from tests.folders import reachable_folder
from tests.waiting import eventually

WITHIN_S = 30.0
REVOKED_WITHIN_S = 5.0


@dataclass(frozen=True)
class Network:
    """Two ends of a cable: ours, and that of the other host."""

    ours: str
    theirs: str
    prefix: tuple[str, ...]


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    """Another host: a network namespace at the other end of a cable."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("making another host, a network namespace, needs root and iproute2")
    name = f"flick{os.getpid()}"
    # Of its own, so that a run beside this one, or one that was killed, is not in the way.
    net = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
    commands = [
        f"ip netns add {name}",
        f"ip link add {name}a type veth peer name {name}b",
        f"ip link set {name}b netns {name}",
        f"ip addr add {net}.1/30 dev {name}a",
        f"ip link set {name}a up",
        f"ip -n {name} addr add {net}.2/30 dev {name}b",
        f"ip -n {name} link set {name}b up",
        f"ip -n {name} link set lo up",
    ]
    try:
        for command in commands:
            subprocess.run(command.split(), check=True, capture_output=True)
        yield Network(ours=f"{net}.1", theirs=f"{net}.2", prefix=("ip", "netns", "exec", name))
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", f"{name}a"], check=False, capture_output=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def reachable(network: Network) -> AsyncIterator[Installation]:
    with reachable_folder() as folder:
        async with flick_up(data_dir=folder / "data", arguments=["--host", network.ours]) as running:
            yield running


async def join_token(client: httpx.AsyncClient, name: str) -> tuple[str, str]:
    answer = await client.post("/api/v1/join-tokens", json={"serverDisplayName": name})
    assert answer.status_code == 200, answer.text
    return answer.json()["enrollUrl"], answer.json()["token"]


async def agent(network: Network, *arguments: str, identity: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *network.prefix,
        str(COMMANDS / "flick-agent"),
        *arguments,
        env={**os.environ, "FLICK_AGENT_IDENTITY": str(identity)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def samples(client: httpx.AsyncClient, server_id: str) -> int:
    answer = await client.get(f"/api/v1/servers/{server_id}/metrics", params={"names": "system.uptime"})
    return sum(len(series["times"]) for series in answer.json()["series"])


async def server_named(client: httpx.AsyncClient, name: str) -> str:
    servers = (await client.get("/api/v1/servers")).json()["servers"]
    return str(next(server["serverId"] for server in servers if server["displayName"] == name))


async def test_a_second_server_joins_streams_and_is_shut_out_within_seconds(
    network: Network, reachable: Installation, tmp_path: Path
) -> None:
    identity = tmp_path / "identity.json"
    async with reachable.client() as client:
        await reachable.sign_in(client)
        url, token = await join_token(client, "second")
        enroll = await agent(network, "enroll", url, token, identity=identity)
        _, complaint = await asyncio.wait_for(enroll.communicate(), timeout=WITHIN_S)
        assert enroll.returncode == 0, complaint.decode()
        running = await agent(network, "run", identity=identity)
        try:
            server_id = await server_named(client, "second")
            streamed = await eventually(lambda: samples(client, server_id), lambda count: count >= 2)
            keys = (await client.get(f"/api/v1/servers/{server_id}/agent-keys")).json()["agentKeys"]
            revoked = await client.post(f"/api/v1/servers/{server_id}/agent-keys/{keys[0]['keyId']}:revoke", json={})
            assert revoked.status_code == 200, revoked.text
            await asyncio.sleep(REVOKED_WITHIN_S)
            at_revocation = await samples(client, server_id)
            await asyncio.sleep(2 * REVOKED_WITHIN_S)
            later = await samples(client, server_id)
        finally:
            running.terminate()
            await asyncio.wait_for(running.communicate(), timeout=WITHIN_S)

    assert url.startswith(f"https://{network.ours}:")
    assert identity.stat().st_mode & 0o777 == 0o600
    assert json.loads(identity.read_text())["server_id"] == server_id
    assert streamed >= 2
    assert later == at_revocation


async def host(client: httpx.AsyncClient, server_id: str) -> dict[str, Any]:
    answer = (await client.get(f"/api/v1/servers/{server_id}")).json()
    return {**answer["host"], "version": answer["agentVersion"], "changed": answer.get("hostChangeTime")}


@pytest.mark.timeout(400)
async def test_a_new_address_of_a_server_is_told_within_minutes(
    network: Network, reachable: Installation, tmp_path: Path
) -> None:
    identity, added = tmp_path / "identity.json", "192.0.2.99"
    async with reachable.client() as client:
        await reachable.sign_in(client)
        enroll = await agent(network, "enroll", *await join_token(client, "moving"), identity=identity)
        await asyncio.wait_for(enroll.communicate(), timeout=WITHIN_S)
        server_id = await server_named(client, "moving")
        joined = await host(client, server_id)
        running = await agent(network, "run", identity=identity)
        try:
            await eventually(lambda: samples(client, server_id), lambda count: count >= 1)
            device = network.prefix[-1] + "b"
            subprocess.run([*network.prefix, *f"ip addr add {added}/32 dev {device}".split()], check=True)
            moved = await eventually(
                lambda: host(client, server_id), lambda found: added in found["addresses"], within_s=120, every_s=1
            )
        finally:
            running.terminate()
            await asyncio.wait_for(running.communicate(), timeout=WITHIN_S)

    assert joined["addresses"] == [network.theirs]
    assert joined["changed"] is None
    assert sorted(moved["addresses"]) == sorted([network.theirs, added])
    assert moved["changed"] is not None
    assert moved["version"] == joined["version"] != ""


async def test_a_join_token_works_once(network: Network, reachable: Installation, tmp_path: Path) -> None:
    async with reachable.client() as client:
        await reachable.sign_in(client)
        url, token = await join_token(client, "once")
        results = []
        for number in range(2):
            process = await agent(network, "enroll", url, token, identity=tmp_path / f"{number}.json")
            _, complaint = await asyncio.wait_for(process.communicate(), timeout=WITHIN_S)
            results.append((process.returncode, complaint.decode()))

    assert results[0][0] == 0, results[0][1]
    assert results[1][0] != 0
    assert "token" in results[1][1]
    assert not (tmp_path / "1.json").exists()


async def test_a_join_token_of_another_installation_is_not_handed_over(
    network: Network, reachable: Installation, installation: Installation, tmp_path: Path
) -> None:
    async with installation.client() as theirs:
        await installation.sign_in(theirs)
        _, foreign = await join_token(theirs, "foreign")
    process = await agent(network, "enroll", reachable.url, foreign, identity=tmp_path / "identity.json")
    _, complaint = await asyncio.wait_for(process.communicate(), timeout=WITHIN_S)

    assert process.returncode != 0
    assert "fingerprint" in complaint.decode()


async def test_plain_http_is_not_served_beyond_this_machine(reachable: Installation) -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.TransportError):
            await client.get(reachable.url.replace("https", "http", 1) + "/healthz")
