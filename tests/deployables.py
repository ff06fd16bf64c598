"""One wrapper per deployable: each starts the real program as a process of its own and tells where it answers."""

import asyncio
import hashlib
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from deploy.local.machine.ports import free_port
from flick import tokens
from tests.databases import DatabaseServer
from tests.waiting import eventually

ROOT = Path(__file__).parents[1]
START_WITHIN_S = 30.0
STOP_WITHIN_S = 15.0


@dataclass(frozen=True, kw_only=True)
class Program:
    """A running program. `address` is where it serves; empty for one that serves nothing."""

    process: asyncio.subprocess.Process
    address: str


@asynccontextmanager
async def program(*arguments: str, environment: Mapping[str, str], log: Path) -> AsyncIterator[Program]:
    """Run `python -m ARGUMENTS`; ready when its JSON log says `serving`. Its log goes to `log`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLICK_")}
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *arguments, env={**inherited, **environment}, stderr=sink, stdout=sink, cwd=ROOT
        )
    try:
        yield Program(process=process, address=await _address(process, log))
    finally:
        await end(process, within_s=STOP_WITHIN_S)


async def end(process: asyncio.subprocess.Process, *, within_s: float) -> None:
    """Ask the process to stop, and kill it when it does not in time."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), timeout=within_s)
    except TimeoutError:
        process.kill()
        await process.wait()


async def _address(process: asyncio.subprocess.Process, log: Path) -> str:
    async def said() -> str | None:
        if process.returncode is not None:
            raise AssertionError(f"it ended with {process.returncode}: {log.read_text()[-4000:]}")
        return next(_serving(log.read_text().splitlines()), None)

    found = await eventually(said, lambda address: address is not None, within_s=START_WITHIN_S, every_s=0.05)
    assert found is not None, f"it never said that it serves: {log.read_text()[-4000:]}"
    return found


def _serving(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        if line.startswith("{") and (record := json.loads(line)).get("message") == "serving":
            yield str(record["address"])


async def migrate(*, url: str) -> None:
    """Bring every schema of the database up to date."""
    for schema, service in [("auth", "auth"), ("telemetry", "ingest")]:
        arguments = ["--schema", schema, "--directory", f"services/{service}/migrations"]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "flick.db.migrate", *arguments),
            env={**os.environ, "FLICK_MIGRATE_DATABASE_URL": url},
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()


@dataclass(frozen=True, kw_only=True)
class House:
    """Auth, ingest, query and gateway, running over one database."""

    auth: str
    ingest: str
    query: str
    gateway: str
    signing_keys: Path

    def signer(self) -> tokens.Signer:
        """Signs as auth does."""
        path = max(self.signing_keys.glob("*.pem"))
        key = load_pem_private_key(path.read_bytes(), password=None)
        return tokens.Signer(key=key, key_id=path.stem)  # type: ignore[arg-type]


@asynccontextmanager
async def house(*, postgres: DatabaseServer, database: str, redis_url: str, folder: Path) -> AsyncIterator[House]:
    """The whole house over a migrated database."""
    known = {name: secrets.token_urlsafe(24) for name in ("ingest", "query")}
    hashes = "".join(f'{name} = "{hashlib.sha256(text.encode()).hexdigest()}"\n' for name, text in known.items())
    (folder / "service_secrets.toml").write_text(hashes)
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    async with AsyncExitStack() as stack:

        async def run(module: str, environment: Mapping[str, str]) -> str:
            name = module.rpartition(".")[2]
            prefix = f"FLICK_{name.upper()}"
            listen = {f"{prefix}_LISTEN": "127.0.0.1:0", f"{prefix}_METRICS_LISTEN": f"127.0.0.1:{free_port()}"}
            started = program(module, environment={**listen, **environment}, log=folder / f"{name}.log")
            return (await stack.enter_async_context(started)).address

        auth = await run(
            "services.auth",
            {
                "FLICK_AUTH_DATABASE_URL": postgres.url(database=database, role="flick_auth"),
                "FLICK_AUTH_SIGNING_KEYS_DIR": str(keys),
                "FLICK_AUTH_SERVICE_SECRETS_FILE": str(folder / "service_secrets.toml"),
            },
        )
        backends = {
            name: await run(
                f"services.{name}",
                {
                    "FLICK_AUTH_ADDRESS": auth,
                    "FLICK_REDIS_URL": redis_url,
                    f"FLICK_{name.upper()}_DATABASE_URL": postgres.url(database=database, role=f"flick_{name}"),
                    f"FLICK_{name.upper()}_SERVICE_SECRET": secret,
                },
            )
            for name, secret in known.items()
        }
        addresses = {f"FLICK_{name.upper()}_ADDRESS": address for name, address in backends.items()}
        gateway = await run("gateway", {"FLICK_AUTH_ADDRESS": auth, **addresses})
        running = House(
            auth=auth,
            ingest=backends["ingest"],
            query=backends["query"],
            gateway=f"http://{gateway}",
            signing_keys=keys,
        )
        await _answers(running)
        yield running


async def _answers(running: House) -> None:
    async with httpx.AsyncClient() as client:

        async def status() -> int:
            try:
                return (await client.get(f"{running.gateway}/healthz")).status_code
            except httpx.TransportError:
                return 0

        assert await eventually(status, lambda code: code == 200) == 200
