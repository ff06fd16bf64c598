"""Metrics of people's own after `flick up`: a script dropped in, and a push as curl makes it, seen over REST."""

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from tests.e2e.installation import Installation
from tests.waiting import eventually

WITHIN_S = 60.0


async def _values(client: httpx.AsyncClient, server_id: str, name: str) -> dict[str, list[float]]:
    """The values of the last hour, by labels; none as long as the name is not known."""
    answer = await client.get(f"/api/v1/servers/{server_id}/metrics", params={"names": name})
    if answer.status_code == 400 and "no custom one" in answer.text:
        return {}
    assert answer.status_code == 200, answer.text
    return {json.dumps(one["labels"], sort_keys=True): one["values"] for one in answer.json()["series"]}


async def _described(client: httpx.AsyncClient, server_id: str) -> Mapping[str, Any]:
    answer = await client.get(f"/api/v1/servers/{server_id}/metrics:catalog")
    assert answer.status_code == 200, answer.text
    return {one["name"]: one for one in answer.json()["metrics"] if one["custom"]}


async def test_a_script_and_a_text_file_dropped_in_are_measured(
    installation: Installation, client: httpx.AsyncClient
) -> None:
    folder = installation.data_dir / "agent" / "custom"
    folder.mkdir(mode=0o755, exist_ok=True)
    script = folder / "queue"
    script.write_text(
        "#!/bin/sh\n"
        "echo '# HELP mail_queue_messages Messages that wait.'\n"
        "echo 'mail_queue_messages{queue=\"out\"} 7'\n"
    )
    script.chmod(0o755)
    (folder / "backup.prom").write_text("backup_bytes 1234\n")
    server_id = installation.server_id
    queue = await eventually(
        lambda: _values(client, server_id, "mail_queue_messages"), bool, within_s=WITHIN_S, every_s=1.0
    )
    backup = await eventually(lambda: _values(client, server_id, "backup_bytes"), bool, within_s=WITHIN_S, every_s=1.0)
    described = await _described(client, server_id)

    assert set(queue['{"queue": "out"}']) == {7.0}
    assert set(backup["{}"]) == {1234.0}
    assert described["mail_queue_messages"]["description"] == "Messages that wait."
    assert described["mail_queue_messages"]["labelKeys"] == ["queue"]
    assert described["backup_bytes"]["unit"] == "By"


async def test_a_push_as_curl_makes_it_is_there_once_it_is_answered(
    installation: Installation, client: httpx.AsyncClient
) -> None:
    server_id, now_ms = installation.server_id, time.time_ns() // 1_000_000
    for count, at_ms in ((10, now_ms - 40_000), (30, now_ms)):
        answer = await client.post(
            f"/api/v1/servers/{server_id}/metrics:pushText",
            content=f"# TYPE nightly_jobs_total counter\nnightly_jobs_total {count} {at_ms}\n",
            headers={"content-type": "text/plain"},
        )
        assert answer.status_code == 200, answer.text
    pushed = {
        "values": [{"name": "room_celsius", "value": 21.5, "labels": {"room": "cellar"}}, {"name": "", "value": 1}]
    }
    answer = await client.post(f"/api/v1/servers/{server_id}/metrics:push", json=pushed)
    told = answer.json()
    latest = await client.get(f"/api/v1/servers/{server_id}/metrics:latest", params={"names": "room_celsius"})

    assert (told["storedCount"], told["rejectedCount"]) == (1, 1)
    assert told["rejections"][0]["field"] == "values[1].name"
    assert await _values(client, server_id, "room_celsius") == {'{"room": "cellar"}': [21.5]}
    assert await _values(client, server_id, "nightly_jobs_total") == {"{}": [0.5]}
    assert [(one["value"], bool(one["time"])) for one in latest.json()["values"]] == [(21.5, True)]
    table = await client.get(f"/api/v1/servers/{server_id}/metrics:export", params={"names": "room_celsius"})
    assert table.text.splitlines()[0] == "time,room_celsius{room=cellar} [Cel]"
    assert table.text.splitlines()[1].endswith(",21.5")


async def test_a_name_that_was_never_sent_is_refused_with_the_closest_one(
    installation: Installation, client: httpx.AsyncClient
) -> None:
    server_id = installation.server_id
    await client.post(
        f"/api/v1/servers/{server_id}/metrics:push", json={"values": [{"name": "parcels_waiting", "value": 1}]}
    )
    answer = await client.get(f"/api/v1/servers/{server_id}/metrics", params={"names": "parcel_waiting"})

    assert answer.status_code == 400
    assert "the closest is 'parcels_waiting'" in answer.json()["message"]
