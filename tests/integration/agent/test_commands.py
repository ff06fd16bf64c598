"""The `flick-agent` command as a person or an init system runs it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import grpc
import pytest

from agent import identity
from agent.identity import Identity
from flick import tokens
from flick.ids import new_id
from flick.v1 import ingest_pb2
from tests.integration.agent.certificates import Authority, Issued
from tests.integration.agent.ingest import ScriptedIngest, Visit, serving, settings
from tests.integration.agent.web import Answer, web
from tests.waiting import until

WITHIN_S = 30.0


async def start(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLICK_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent", *arguments),
        env={**inherited, **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def finished(process: asyncio.subprocess.Process, *, stdin: bytes | None = None) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    try:
        out, err = await asyncio.wait_for(process.communicate(stdin), WITHIN_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def run(*arguments: str, stdin: bytes | None = None, **environment: str) -> tuple[int, str, str]:
    return await finished(await start(*arguments, **environment), stdin=stdin)


def joined(path: Path, address: str, authority: Authority) -> Path:
    identity.write(path, Identity(server_id="s1", agent_key="flk_secret", ingest_address=address, ca_pem=authority.pem))
    return path


async def test_check_ends_quietly_when_its_reader_goes_away(tmp_path: Path) -> None:
    command = f"{sys.executable} -m agent check --json --identity {tmp_path / 'none.json'} | head -n 1 >/dev/null"
    process = await asyncio.create_subprocess_shell(command, stderr=asyncio.subprocess.PIPE)
    _, complaint = await asyncio.wait_for(process.communicate(), WITHIN_S)

    assert complaint.decode() == ""


async def test_check_shows_what_is_measured_for_programs(tmp_path: Path) -> None:
    status, out, err = await run("check", "--once", "--json", "--identity", str(tmp_path / "none.json"))
    found = json.loads(out)
    values = {(value["name"], *value["labels"].values()): value["value"] for value in found["metrics"]}

    assert (status, err) == (0, "")
    assert 0 <= values[("system.cpu.utilization",)] <= 1
    assert values[("system.uptime",)] > 0
    assert values["system.filesystem.usage", "used", *_root(found)] > 0
    assert found["processes"][0].keys() >= {"pid", "name", "user", "state", "cpu_utilization", "memory_rss"}
    assert found["connection"]["joined"] is False


def _root(found: Mapping[str, list[dict[str, dict[str, str]]]]) -> tuple[str, str]:
    labels = (value["labels"] for value in found["metrics"])
    device = next(label["system.device"] for label in labels if label.get("system.filesystem.mountpoint") == "/")
    return device, "/"


async def test_check_shows_a_table_for_people(tmp_path: Path) -> None:
    status, out, _ = await run("check", "--once", FLICK_AGENT_IDENTITY=str(tmp_path / "none.json"))

    assert status == 0
    assert "system.memory.limit" in out
    assert "PID" in out
    assert "flick-agent enroll URL TOKEN" in out


async def test_check_says_that_all_is_well_without_disturbing_the_agent_that_runs(
    tmp_path: Path, authority: Authority, tls: Issued
) -> None:
    ingest = ScriptedIngest(Visit.until_gone)
    async with serving(ingest, tls=tls) as address:
        path = joined(tmp_path / "identity.json", address, authority)
        status, out, _ = await run("check", "--once", "--identity", str(path))

    assert status == 0
    assert f"Can stream to {address} as server s1." in out
    assert ingest.visits[0].hello == ingest_pb2.Hello()


async def test_check_says_when_the_key_is_refused(tmp_path: Path, authority: Authority, tls: Issued) -> None:
    async def refuse(visit: Visit) -> None:
        await visit.abort(grpc.StatusCode.UNAUTHENTICATED, "The agent key is not valid.")

    async with serving(ScriptedIngest(refuse), tls=tls) as address:
        path = joined(tmp_path / "identity.json", address, authority)
        status, out, err = await run("check", "--once", "--identity", str(path))

    assert status == 1
    assert "The agent key is not valid." in out
    assert "flk_secret" not in out + err


async def test_check_says_what_is_wrong_with_the_way_to_ingest(tmp_path: Path, authority: Authority) -> None:
    async with serving(ScriptedIngest(Visit.until_gone), tls=None) as address:
        path = joined(tmp_path / "identity.json", address, authority)
        status, out, _ = await run("check", "--once", "--json", "--identity", str(path))

    assert status == 1
    assert "does not speak TLS" in json.loads(out)["connection"]["problem"]


async def test_enroll_writes_an_identity_that_run_streams_with(
    tmp_path: Path, authority: Authority, tls: Issued
) -> None:
    batches: list[ingest_pb2.MetricBatch] = []

    async def script(visit: Visit) -> None:
        await visit.welcome(settings=settings(interval_s=1))
        try:
            while True:
                batch = await visit.batch()
                batches.append(batch)
                await visit.ack(batch)
        except EOFError:
            return

    ingest = ScriptedIngest(script)
    path = tmp_path / "state" / "identity.json"
    token = tokens.make_opaque(prefix="flj", token_id=new_id(), fingerprint=authority.fingerprint).text
    async with serving(ingest, tls=tls) as address:
        with web(tls=tls) as site:
            site.answers = {
                "GET /api/v1/trust-bundle": Answer(body={"caPem": authority.pem}),
                "POST /api/v1/servers:enroll": Answer(
                    body={
                        "server": {"serverId": "s1"},
                        "agentKey": "flk_secret",
                        "ingestAddress": address,
                        "trustBundle": {"caPem": authority.pem},
                    }
                ),
            }
            url = f"https://{site.address}"
            enrolled = await run("enroll", url, "-", "--identity", str(path), stdin=f"{token}\n".encode())
        process = await start("run", FLICK_AGENT_IDENTITY=str(path))
        try:
            await until(lambda: sum(len(batch.samples) for batch in batches) >= 3, within_s=WITHIN_S)
        finally:
            process.send_signal(signal.SIGTERM)
            status, _, log = await finished(process)
        await ingest.played()
    samples = [sample for batch in batches for sample in batch.samples]
    times = [sample.time_unix_nano for sample in samples]

    assert enrolled[0] == 0, enrolled[2]
    assert "s1" in enrolled[1]
    assert path.stat().st_mode & 0o777 == 0o600
    assert status == 0
    assert all(time % 1_000_000_000 == 0 for time in times)
    assert times == sorted(set(times))
    assert all(0 <= sample.core[0] <= 1 for sample in samples)
    assert all(sample.processes for sample in samples)
    assert [json.loads(line)["message"] for line in log.splitlines()] == ["streaming"]
    assert "flk_secret" not in log
    assert token not in log + enrolled[1] + enrolled[2]


async def test_run_without_an_identity_says_how_to_join(tmp_path: Path) -> None:
    status, _, err = await run("run", "--identity", str(tmp_path / "none.json"))

    assert status == 1
    assert "flick-agent enroll URL TOKEN" in err


async def test_a_running_agent_that_can_not_reach_ingest_says_why_and_stops_when_asked(
    tmp_path: Path, authority: Authority
) -> None:
    path = joined(tmp_path / "identity.json", "127.0.0.1:1", authority)
    process = await start("run", "--identity", str(path))
    assert process.stderr is not None
    line = await asyncio.wait_for(process.stderr.readline(), WITHIN_S)
    process.send_signal(signal.SIGINT)
    status, _, _ = await finished(process)

    assert status == 0
    assert "127.0.0.1:1 refuses connections" in json.loads(line)["message"]


async def test_a_token_is_not_spent_when_the_identity_could_not_be_kept(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "file").touch()
    with web(tls=None) as site:
        token = tokens.make_opaque(prefix="flj", token_id=new_id(), fingerprint=authority.fingerprint).text
        place = str(tmp_path / "file" / "identity.json")
        status, _, err = await run("enroll", f"http://{site.address}", token, "--identity", place)

    assert status == 1
    assert "--identity" in err
    assert site.requests == []


async def test_a_misspelt_setting_is_an_error() -> None:
    status, _, err = await run("run", FLICK_AGENT_IDENTITTY="x")

    assert status == 1
    assert "Did you mean FLICK_AGENT_IDENTITY?" in err


@pytest.mark.parametrize("arguments", [[], ["fly"], ["enroll"], ["check", "--twice"]])
async def test_wrong_usage_is_told_apart_from_failure(arguments: list[str]) -> None:
    status, _, err = await run(*arguments)

    assert status == 2
    assert "usage: flick-agent" in err


async def test_the_version_is_told() -> None:
    status, out, _ = await run("--version")

    assert status == 0
    assert out.startswith("flick-agent 0.")
