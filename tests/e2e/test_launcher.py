"""`flick up` as an operator meets it: it starts, recovers, names what dies, and leaves nothing behind."""

import asyncio
import os
import signal
import subprocess
from pathlib import Path

import httpx
import psutil

from tests.e2e.installation import COMMANDS, Installation, flick_up
from tests.waiting import eventually

WITHIN_S = 30.0


async def gone(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those of `processes` that still live after a while."""
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, WITHIN_S)
    return list(alive)


async def healthy(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False


async def newest(client: httpx.AsyncClient, server_id: str) -> float:
    """The time of the newest stored sample; 0 when there is none or no answer."""
    answer = await client.get(f"/api/v1/servers/{server_id}/metrics", params={"names": "system.uptime"})
    times = [moment for series in answer.json().get("series", []) for moment in series["times"]]
    return max(times, default=0.0)


async def newest_after(client: httpx.AsyncClient, server_id: str, moment: float) -> float:
    return await eventually(lambda: newest(client, server_id), lambda found: found > moment)


async def test_after_ctrl_c_nothing_lives_on_and_the_exit_is_clean(data_dir: Path) -> None:
    async with flick_up(data_dir=data_dir) as installation:
        children = installation.children()
        code = await installation.stop()

    assert code == 0
    assert len(children) >= 7
    assert await gone(children) == []


async def test_after_kill_nine_no_child_lives_on_and_the_next_start_recovers(data_dir: Path) -> None:
    async with flick_up(data_dir=data_dir) as first:
        async with first.client() as client:
            await first.sign_in(client)
            stored = await newest_after(client, first.server_id, 0)
        children = first.children()
        first.process.send_signal(signal.SIGKILL)
        await first.process.wait()
        survivors = await gone(children)
    async with flick_up(data_dir=data_dir) as second, second.client() as client:
        ready = dict(second.ready)
        second.ready = {**second.ready, "password": first.ready["password"]}
        await second.sign_in(client)
        again = await newest_after(client, second.server_id, stored)

    assert survivors == []
    assert stored > 0
    assert again > stored
    assert (ready["password"], ready["server_id"]) == (None, first.server_id)


async def test_a_part_that_dies_is_named_and_comes_back(data_dir: Path) -> None:
    parts = {"query", "ingest", "auth"}
    async with flick_up(data_dir=data_dir) as installation, installation.client() as client:
        await installation.sign_in(client)
        stored = await newest_after(client, installation.server_id, 0)
        for part in parts:
            installation.child(f"services.{part}").kill()
        named = await eventually(lambda: _named(installation), lambda found: found >= parts)

        assert named >= parts
        assert await eventually(lambda: healthy(client), bool)
        assert await newest_after(client, installation.server_id, stored + 5) > stored + 5


async def _named(installation: Installation) -> set[str]:
    return {str(event.get("part")) for event in installation.events if event["event"] != "started"}


async def test_instances_live_side_by_side(installation: Installation, data_dir: Path) -> None:
    async with flick_up(data_dir=data_dir) as other, other.client() as theirs, installation.client() as ours:
        await other.sign_in(theirs)
        await installation.sign_in(ours)
        seen = [(await client.get("/api/v1/servers")).json()["servers"][0]["serverId"] for client in [ours, theirs]]

    assert seen == [installation.server_id, other.server_id]
    assert installation.server_id != other.server_id


async def test_the_same_folder_is_not_used_twice(installation: Installation) -> None:
    second = await asyncio.to_thread(
        subprocess.run,
        [str(COMMANDS / "flick"), "up", "--data-dir", str(installation.data_dir), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )

    assert second.returncode == 1
    assert str(installation.process.pid) in second.stderr


async def test_a_misspelt_setting_is_named_before_anything_starts(data_dir: Path) -> None:
    run = await asyncio.to_thread(
        subprocess.run,
        [str(COMMANDS / "flick"), "up", "--data-dir", str(data_dir), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        env={**os.environ, "FLICK_DATABASE_ULR": "postgresql://x"},
    )

    assert run.returncode != 0
    assert "FLICK_DATABASE_ULR" in run.stderr
    assert "FLICK_DATABASE_URL" in run.stderr
