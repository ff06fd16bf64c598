"""The start-up: storage, migrations, first login, services, this machine's agent, in order of need."""

import asyncio
import json
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deploy.local import parts
from deploy.local.addresses import OPEN, Addresses, choose_ports, is_wildcard, outward_address
from deploy.local.certificates import Certificates, ensure_certificates, machine_names
from deploy.local.data_dir import DataDir
from deploy.local.errors import LocalError
from deploy.local.machine.ports import free_port, is_free
from deploy.local.output import Output
from deploy.local.own_metrics import write_sources
from deploy.local.parts import Stage
from deploy.local.storage import StorageSettings, StorageStarter
from deploy.local.supervision.supervisor import Supervisor
from flick.clock import Clock, utc
from flick.private_file import write_private

CERTIFICATE_CHECK_S = 6 * 3600.0  # certificates are renewed 60 days early; addresses change seldom
ADMIN_EMAIL = "admin@localhost"
_PASSWORD_SIGNS = "abcdefghijkmnpqrstuvwxyz23456789"  # noqa: S105 - 32 signs that look unlike each other: 5 bits each
_PASSWORD_GROUPS, _PASSWORD_GROUP_SIZE = 4, 5  # 100 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One start.

    Args:
        data: the data directory, entered.
        cache_dir: where TimescaleDB and Redis are unpacked.
        runtime_dir: where a short folder for sockets may be made.
        settings: existing servers, if any.
        host: what the gateway and ingest listen on.
        port: the gateway's; 0: any; None: last start's.
        workers: ingest's processes.
        environ: the launcher's environment.
        supervisor: keeps the parts.
        output: told what happens.
        clock: for certificates.
    """

    data: DataDir
    cache_dir: Path
    runtime_dir: Path
    settings: StorageSettings
    host: str
    port: int | None
    workers: int
    environ: Mapping[str, str] = field(repr=False)
    supervisor: Supervisor
    output: Output
    clock: Clock

    async def start(self) -> Stage:
        """Start everything, tell the address and, the first time, the first login; return what the parts were told.

        Raises LocalError when a part cannot be brought up.
        """
        addresses = self._addresses()
        storage = await StorageStarter(
            settings=self.settings,
            data=self.data,
            cache_dir=self.cache_dir,
            runtime_dir=self.runtime_dir,
            ports=addresses.ports,
            supervisor=self.supervisor,
            progress=self.output.progress,
        ).start()
        self.data.write_service_secrets(parts.SERVICES_WITH_SECRETS)
        stage = Stage(
            data=self.data,
            addresses=addresses,
            certificates=self._certificates(addresses),
            database_urls=storage.database_urls,
            redis_url=storage.redis_url,
            workers=self.workers,
            environ=self.environ,
            database_dir=self.data.postgres if self.settings.database_url is None else None,
        )
        self.output.progress("bringing the database up to date", None)
        for step in parts.migrations(stage):
            await self.supervisor.run(step)
        return await self._first_login_and_parts(stage)

    async def keep_certificates(self, stage: Stage) -> None:
        """Look again and again whether the certificate still fits, and have it read anew when it was replaced."""
        while True:
            await self.clock.sleep(CERTIFICATE_CHECK_S)
            try:
                renewed = self._certificates(stage.addresses).renewed
            except (LocalError, OSError) as error:
                self.output.notice(f"the certificate could not be looked after: {error}")
                continue
            if renewed:
                self.output.notice("the certificate was renewed: ingest and the gateway are started anew with it")
                for name in parts.WITH_CERTIFICATE:
                    await self.supervisor.renew(name)

    def _certificates(self, addresses: Addresses) -> Certificates:
        names = machine_names() | {addresses.public_host}
        if not is_wildcard(addresses.host):
            names.add(addresses.host)
        return ensure_certificates(directory=self.data.tls, names=names, now=utc(self.clock))

    def _addresses(self) -> Addresses:
        remembered = self.data.remembered().get("ports", {})
        hosts = dict.fromkeys(OPEN, self.host)
        ports = choose_ports(
            requested=self.port,
            remembered=remembered,
            is_free=lambda part, port: is_free(port, host=hosts.get(part, "127.0.0.1")),
            any_free=lambda part, taken: free_port(host=hosts.get(part, "127.0.0.1"), taken=taken),
        )
        self._tell_changes(remembered, ports)
        requested = {"requested": self.port} if self.port is not None else {}
        self.data.remember(ports={**remembered, **requested, **ports})
        public_host = outward_address() if is_wildcard(self.host) else self.host
        return Addresses(host=self.host, public_host=public_host, ports=ports)

    def _tell_changes(self, remembered: Mapping[str, int], ports: Mapping[str, int]) -> None:
        if self.port and ports["gateway"] != self.port:
            self.output.notice(f"port {self.port} is in use: the gateway listens on {ports['gateway']} instead")
        if remembered.get("ingest", ports["ingest"]) != ports["ingest"]:
            self.output.notice(
                f"ingest listens on {ports['ingest']}, no longer on {remembered['ingest']}: agents on other machines "
                "that were enrolled before will not find it there"
            )

    async def _first_login_and_parts(self, stage: Stage) -> Stage:
        password = _new_password()
        answer = await self.supervisor.run_for_answer(parts.bootstrap(stage, email=ADMIN_EMAIL, password=password))
        facts = self._facts(stage, answer, password if answer.get("created") else None)
        stage = replace(stage, operator_id=answer["organization_id"])
        try:
            for wave in parts.WAVES:
                await asyncio.gather(*(self.supervisor.start(make(stage)) for make in wave))
            self._write_identity(stage, answer)
            write_sources(self.data.agent_custom, addresses=stage.metrics)
            await self.supervisor.start(parts.agent(stage))
        except (LocalError, asyncio.CancelledError):
            if facts["password"] is not None:  # it is known nowhere else, and the next start makes no other
                self.output.notice(f"the first login is {facts['email']} with the password {facts['password']}")
            raise
        self.output.ready(facts)
        return stage

    def _write_identity(self, stage: Stage, answer: Mapping[str, Any]) -> None:
        """Write the agent's identity anew: ports and the authority may have changed since the last start."""
        path = self.data.agent_identity
        try:
            identity = json.loads(path.read_text()) if path.exists() else {}
        except ValueError as error:
            raise LocalError(f"{path} is damaged: remove it and start again, and the agent gets a new key") from error
        if answer.get("agent_key"):
            identity = {"agent_key": answer["agent_key"], "spool_id": str(uuid.uuid4())}
        identity |= {
            "server_id": answer["server_id"],
            "ingest_address": stage.addresses.local("ingest"),
            "ca_pem": stage.certificates.authority_file.read_text(),
        }
        write_private(path, json.dumps(identity, indent=2) + "\n")

    def _facts(self, stage: Stage, answer: Mapping[str, Any], password: str | None) -> dict[str, Any]:
        addresses = stage.addresses
        return {
            "url": stage.url,
            "email": ADMIN_EMAIL,
            "password": password,
            "server_id": answer["server_id"],
            "organization_id": answer["organization_id"],
            "ingest": addresses.public("ingest"),
            "grpc": {part: addresses.local(part) for part in ("auth", "query")},
            "metrics": stage.metrics,
            "ca": str(stage.certificates.authority_file),
            "ca_fingerprint": stage.certificates.fingerprint,
            "data_dir": str(self.data.path),
        }


def _new_password() -> str:
    def group() -> str:
        return "".join(secrets.choice(_PASSWORD_SIGNS) for _ in range(_PASSWORD_GROUP_SIZE))

    return "-".join(group() for _ in range(_PASSWORD_GROUPS))
