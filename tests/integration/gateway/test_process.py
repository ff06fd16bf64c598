"""The gateway as a program: how it starts, refuses to start, and leaves."""

import asyncio
import json
import signal
import ssl
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from deploy.local.certificates import ensure_certificates
from deploy.local.machine.ports import free_port
from tests.deployables import ROOT, program
from tests.integration.gateway.running import closed, receive, send
from tests.integration.gateway.scripted import Backends


def environment(backends: Backends, **more: str) -> dict[str, str]:
    return {
        "FLICK_GATEWAY_LISTEN": "127.0.0.1:0",
        "FLICK_AUTH_ADDRESS": backends.auth_address,
        "FLICK_QUERY_ADDRESS": backends.query_address,
        "FLICK_INGEST_ADDRESS": backends.query_address,  # nothing is pushed here
        **more,
    }


async def refusal(settings: dict[str, str]) -> tuple[int, str]:
    """The exit code and the words of a gateway that does not start."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway"), env=settings, cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), timeout=20)
    assert process.returncode is not None
    return process.returncode, errors.decode()


async def test_sigterm_drains_sockets_and_streams_and_ends_with_0(backends: Backends, tmp_path: Path) -> None:
    token = backends.accounts.token("ada")
    metrics = f"127.0.0.1:{free_port()}"
    settings = environment(backends, FLICK_GATEWAY_METRICS_LISTEN=metrics)
    async with (
        program("gateway", environment=settings, log=tmp_path / "log") as gateway,
        connect(
            f"ws://{gateway.address}/api/v1/ws", subprotocols=[Subprotocol("bearer"), Subprotocol(token)], proxy=None
        ) as socket,
        httpx.AsyncClient(base_url=f"http://{gateway.address}", headers={"Authorization": f"Bearer {token}"}) as client,
        client.stream("GET", "/api/v1/servers/s1/metrics:watch") as stream,
    ):
        await receive(socket)
        await send(socket, subscribe={"subscriptionId": "a", "serverIds": ["s1"]})
        lines = stream.aiter_lines()
        await anext(lines)
        counted = (await httpx.AsyncClient().get(f"http://{metrics}/metrics")).text
        gateway.process.send_signal(signal.SIGTERM)
        code, frames = await closed(socket)
        rest = [line async for line in lines]
        exit_code = await asyncio.wait_for(gateway.process.wait(), timeout=10)

    assert "flick_gateway_live_sockets 1.0" in counted
    assert code == 1001
    assert any("retryDelay" in detail for detail in frames[-1]["error"]["status"]["details"])
    assert "error" in json.loads(rest[-1])
    assert exit_code == 0
    assert '"level": "ERROR"' not in (tmp_path / "log").read_text()


async def test_https_with_a_certificate_and_hsts_only_for_real_names(backends: Backends, tmp_path: Path) -> None:
    made = ensure_certificates(directory=tmp_path / "tls", names=["flick.test"], now=datetime.now(UTC))
    settings = environment(
        backends,
        FLICK_GATEWAY_TLS_CERT_FILE=str(made.certificate_file),
        FLICK_GATEWAY_TLS_KEY_FILE=str(made.key_file),
    )
    async with program("gateway", environment=settings, log=tmp_path / "log") as gateway:
        port = gateway.address.rpartition(":")[2]
        trust = ssl.create_default_context(cafile=made.authority_file)
        async with httpx.AsyncClient(verify=trust, base_url=f"https://localhost:{port}") as client:
            local = await client.get("/healthz")
            named = await client.get("/healthz", headers={"Host": f"flick.test:{port}"})

    assert local.status_code == 200
    assert "strict-transport-security" not in local.headers
    assert named.headers["strict-transport-security"] == "max-age=31536000"


async def test_plain_http_where_others_could_listen_is_refused(backends: Backends) -> None:
    code, words = await refusal(environment(backends, FLICK_GATEWAY_LISTEN="0.0.0.0:0"))

    assert code == 1
    assert "FLICK_GATEWAY_LISTEN" in words
    assert "FLICK_GATEWAY_TLS_CERT_FILE" in words


async def test_an_address_in_use_is_refused_in_one_sentence(backends: Backends) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    code, words = await refusal(environment(backends, FLICK_GATEWAY_LISTEN=address))
    server.close()

    assert code == 1
    assert f"FLICK_GATEWAY_LISTEN is '{address}'" in words
    assert "Traceback" not in words
