"""The program as the launcher runs it: health, metrics, logs, a graceful stop, and settings that are wrong."""

import asyncio
import hashlib
import json
import os
import signal
import sys
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local.machine.ports import free_port
from flick.rpc.client import open_channel
from flick.v1 import access_pb2, access_pb2_grpc, auth_pb2, auth_pb2_grpc
from tests.databases import DatabaseServer
from tests.deployables import program

SECRET = "the secret of ingest"


@pytest.fixture
def settings(postgres: DatabaseServer, empty_database: str, tmp_path: Path) -> dict[str, str]:
    secrets_file = tmp_path / "secrets.toml"
    secrets_file.write_text(f'ingest = "{hashlib.sha256(SECRET.encode()).hexdigest()}"\n')
    return {
        "FLICK_AUTH_LISTEN": "127.0.0.1:0",
        "FLICK_AUTH_METRICS_LISTEN": f"127.0.0.1:{free_port()}",
        "FLICK_AUTH_DATABASE_URL": postgres.url(database=empty_database, role="flick_auth"),
        "FLICK_AUTH_SIGNING_KEYS_DIR": str(tmp_path / "keys"),
        "FLICK_AUTH_SERVICE_SECRETS_FILE": str(secrets_file),
    }


async def test_it_serves_tells_its_health_and_counts(settings: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with (
        program("services.auth", environment=settings, log=log) as auth,
        open_channel(auth.address) as channel,
        httpx.AsyncClient() as client,
    ):
        health = await health_pb2_grpc.HealthStub(channel).Check(  # type: ignore[attr-defined]
            health_pb2.HealthCheckRequest(service="flick.v1.AuthService")
        )
        await auth_pb2_grpc.AuthServiceStub(channel).GetJsonWebKeySet(auth_pb2.GetJsonWebKeySetRequest())
        metrics = (await client.get(f"http://{settings['FLICK_AUTH_METRICS_LISTEN']}/metrics")).text

    assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert 'grpc_method="GetJsonWebKeySet",grpc_service="flick.v1.AuthService"} 1.0' in metrics
    assert {json.loads(line)["service"] for line in log.read_text().splitlines()} == {"auth"}


async def test_it_stops_gracefully_while_others_watch(settings: dict[str, str], tmp_path: Path) -> None:
    async with (
        program("services.auth", environment=settings, log=tmp_path / "log") as auth,
        open_channel(auth.address) as channel,
    ):
        request = auth_pb2.IssueServiceTokenRequest(service="ingest", secret=SECRET, audience="auth")
        issued = await auth_pb2_grpc.AuthServiceStub(channel).IssueServiceToken(request)
        call = access_pb2_grpc.AccessServiceStub(channel).WatchAccess(
            access_pb2.WatchAccessRequest(), metadata=(("authorization", f"Bearer {issued.token}"),)
        )
        first = await call.read()
        assert isinstance(first, access_pb2.WatchAccessResponse)
        assert first.snapshot_complete

        auth.process.send_signal(signal.SIGTERM)
        while await call.read() is not grpc.aio.EOF:
            pass

        assert await asyncio.wait_for(auth.process.wait(), timeout=5) == 0
        assert await call.code() is grpc.StatusCode.OK


async def test_the_signing_key_is_made_once_and_only_for_its_owner(settings: dict[str, str], tmp_path: Path) -> None:
    for _ in range(2):
        async with program("services.auth", environment=settings, log=tmp_path / "log"):
            [key] = (tmp_path / "keys").glob("*.pem")

            assert key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"FLICK_AUTH_DATABASE_URL": None}, "FLICK_AUTH_DATABASE_URL is not set"),
        ({"FLICK_AUTH_SERVICE_SECRETS_FILE": "/nowhere"}, "FLICK_AUTH_SERVICE_SECRETS_FILE: /nowhere can't be read"),
        ({"FLICK_TRUST_BUNDLE_FILE": os.devnull}, "FLICK_TRUST_BUNDLE_FILE: /dev/null holds no certificate"),
        ({"FLICK_AUTH_SIGNING_KEYS_DIR": "/dev/null/x"}, "FLICK_AUTH_SIGNING_KEYS_DIR: /dev/null/x can't be used"),
        ({"FLICK_AUTH_LISTEN": "0.0.0.0:0"}, "needs TLS"),
        ({"FLICK_AUTH_LISSEN": "x"}, "Did you mean FLICK_AUTH_LISTEN?"),
    ],
)
async def test_a_wrong_setting_is_named(settings: dict[str, str], changes: dict[str, str | None], said: str) -> None:
    given = {name: value for name, value in {**settings, **changes}.items() if value is not None}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLICK_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.auth"), env={**inherited, **given}, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()

    assert process.returncode == 1
    assert said in errors.decode().splitlines()[-1]
