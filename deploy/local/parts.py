"""The table of FLick's parts: how each is started, what it is told, and when it is ready."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import health
from deploy.local.addresses import Addresses
from deploy.local.certificates import Certificates
from deploy.local.data_dir import DataDir
from deploy.local.embedded import database
from deploy.local.embedded import postgres as embedded_postgres
from deploy.local.embedded.postgres import Postgres
from deploy.local.embedded.redis import Redis
from deploy.local.supervision.part import Part, Step

ROOT = Path(__file__).parents[2]  # the only import root: services, gateway and agent lie in it
# Each schema's migrations lie with the service that owns it.
MIGRATIONS: Mapping[str, Path] = {
    "auth": ROOT / "services/auth/migrations",
    "telemetry": ROOT / "services/ingest/migrations",
}
SERVICES_WITH_SECRETS = ("ingest", "query")
# What of the caller's environment reaches the parts: where programs and files are, never another FLICK_* setting.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE", "FLICK_LOG_LEVEL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that the parts are told about their surroundings.

    Args:
        data: the data directory.
        addresses: where everything listens.
        certificates: of the local authority.
        database_urls: address of the database for each role.
        redis_url: address of Redis.
        workers: ingest's processes.
        environ: the launcher's own environment, of which a little is passed on.
        database_dir: where the database lies; None: on a server that somebody else looks after.
        operator_id: the organization that operates the installation; empty until there is one.
    """

    data: DataDir
    addresses: Addresses
    certificates: Certificates
    database_urls: Mapping[str, str] = field(repr=False)
    redis_url: str = field(repr=False)
    workers: int
    environ: Mapping[str, str] = field(repr=False)
    database_dir: Path | None = None
    operator_id: str = ""

    @property
    def url(self) -> str:
        """The gateway's address for people."""
        return f"{self.addresses.scheme}://{self.addresses.public('gateway')}"

    @property
    def metrics(self) -> dict[str, str]:
        """Where each of FLick's own parts serves /metrics, as host:port."""
        return {part: self.addresses.local(f"{part}_metrics") for part in ("auth", "ingest", "query", "gateway")}

    def environment(self, **settings: object) -> dict[str, str]:
        """Return a part's whole environment: the little that it inherits, and its settings."""
        inherited = {name: self.environ[name] for name in _INHERITED if name in self.environ}
        own = {name: str(value) for name, value in settings.items()}
        return {**inherited, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **own}


def postgres(server: Postgres) -> Part:
    """Return the embedded PostgreSQL. Its children follow it: they end when their postmaster does."""
    url = server.url(database="postgres")
    return Part(
        name="postgres",
        command=server.command(),
        environment=server.environment(),
        prepare=server.prepare,
        account=server.account,
        ready=lambda: database.answers(url),
        stop_signal=embedded_postgres.STOP_SIGNAL,
        death_signal=embedded_postgres.DEATH_SIGNAL,
        ready_within_s=120.0,  # recovery after a crash reads up to max_wal_size
        stop_within_s=30.0,  # the last checkpoint writes all of the page cache
    )


def redis(server: Redis) -> Part:
    """Return the embedded Redis."""
    return Part(
        name="redis",
        command=server.command(),
        environment=server.environment(),
        prepare=server.prepare,
        account=server.account,
        ready=server.answers,
        stop_within_s=5.0,  # it keeps nothing
    )


def migrations(stage: Stage) -> list[Step]:
    """Return the steps that bring each schema up to date, as the owner."""
    return [
        Step(
            name=f"migrate-{schema}",
            command=[*_python("flick.db.migrate"), "--schema", schema, "--directory", directory],
            environment=stage.environment(FLICK_MIGRATE_DATABASE_URL=stage.database_urls[database.OWNER]),
            within_s=600.0,  # a migration may rewrite a large table
        )
        for schema, directory in MIGRATIONS.items()
    ]


def bootstrap(stage: Stage, *, email: str, password: str) -> Step:
    """Return the step that makes the first organization, its admin and this machine's server.

    It gives the agent's key only once; when the identity that holds it is lost, another is asked for.
    """
    lost = [] if stage.data.agent_identity.exists() else ["--new-agent-key"]
    return Step(
        name="bootstrap",
        command=[*_python("services.auth"), "bootstrap", *lost],
        environment=stage.environment(
            FLICK_AUTH_DATABASE_URL=stage.database_urls["flick_auth"],
            FLICK_BOOTSTRAP_EMAIL=email,
            FLICK_BOOTSTRAP_PASSWORD=password,
        ),
    )


def auth(stage: Stage) -> Part:
    """Return auth."""
    address = stage.addresses.local("auth")
    return Part(
        name="auth",
        command=_python("services.auth"),
        environment=stage.environment(
            FLICK_AUTH_LISTEN=stage.addresses.listen("auth"),
            FLICK_AUTH_METRICS_LISTEN=stage.addresses.listen("auth_metrics"),
            FLICK_AUTH_DATABASE_URL=stage.database_urls["flick_auth"],
            FLICK_AUTH_SIGNING_KEYS_DIR=stage.data.signing_keys,
            FLICK_AUTH_SERVICE_SECRETS_FILE=stage.data.service_secrets,
            FLICK_PUBLIC_URL=stage.url,
            FLICK_PUBLIC_INGEST_ADDRESS=stage.addresses.public("ingest"),
            FLICK_TRUST_BUNDLE_FILE=stage.certificates.authority_file,
        ),
        ready=lambda: health.grpc_serves(address),
    )


def ingest(stage: Stage) -> Part:
    """Return ingest, which speaks TLS also on loopback: agents know only that."""
    address, authority_pem = stage.addresses.local("ingest"), stage.certificates.authority_file.read_bytes()
    return Part(
        name="ingest",
        command=_python("services.ingest"),
        environment=stage.environment(
            FLICK_INGEST_LISTEN=stage.addresses.listen("ingest"),
            FLICK_INGEST_METRICS_LISTEN=stage.addresses.listen("ingest_metrics"),
            FLICK_INGEST_DATABASE_URL=stage.database_urls["flick_ingest"],
            FLICK_INGEST_SERVICE_SECRET=stage.data.secret("ingest"),
            FLICK_INGEST_TLS_CERT_FILE=stage.certificates.certificate_file,
            FLICK_INGEST_TLS_KEY_FILE=stage.certificates.key_file,
            FLICK_INGEST_WORKERS=stage.workers,
            FLICK_REDIS_URL=stage.redis_url,
            FLICK_AUTH_ADDRESS=stage.addresses.local("auth"),
        ),
        ready=lambda: health.grpc_serves(address, authority_pem=authority_pem),
    )


def query(stage: Stage) -> Part:
    """Return query, which tells how all parts do."""
    address = stage.addresses.local("query")
    lies: dict[str, object] = {"FLICK_QUERY_DATABASE_DIR": stage.database_dir} if stage.database_dir else {}
    return Part(
        name="query",
        command=_python("services.query"),
        environment=stage.environment(
            FLICK_QUERY_LISTEN=stage.addresses.listen("query"),
            FLICK_QUERY_METRICS_LISTEN=stage.addresses.listen("query_metrics"),
            FLICK_QUERY_DATABASE_URL=stage.database_urls["flick_query"],
            FLICK_QUERY_SERVICE_SECRET=stage.data.secret("query"),
            FLICK_QUERY_METRICS_TARGETS=",".join(f"{name}={address}" for name, address in stage.metrics.items()),
            FLICK_OPERATOR_ORGANIZATION_ID=stage.operator_id,
            FLICK_REDIS_URL=stage.redis_url,
            FLICK_AUTH_ADDRESS=stage.addresses.local("auth"),
            **lies,
        ),
        ready=lambda: health.grpc_serves(address),
    )


def gateway(stage: Stage) -> Part:
    """Return the gateway: plain HTTP on loopback, HTTPS by the local authority elsewhere."""
    tls: dict[str, object] = {}
    if stage.addresses.encrypted:
        tls["FLICK_GATEWAY_TLS_CERT_FILE"] = stage.certificates.certificate_file
        tls["FLICK_GATEWAY_TLS_KEY_FILE"] = stage.certificates.key_file
    healthz = f"{stage.addresses.scheme}://{stage.addresses.local('gateway')}/healthz"
    return Part(
        name="gateway",
        command=_python("gateway"),
        environment=stage.environment(
            FLICK_GATEWAY_LISTEN=stage.addresses.listen("gateway"),
            FLICK_GATEWAY_METRICS_LISTEN=stage.addresses.listen("gateway_metrics"),
            FLICK_AUTH_ADDRESS=stage.addresses.local("auth"),
            FLICK_QUERY_ADDRESS=stage.addresses.local("query"),
            FLICK_INGEST_ADDRESS=f"tls://{stage.addresses.local('ingest')}",
            FLICK_TRUST_BUNDLE_FILE=stage.certificates.authority_file,
            FLICK_PUBLIC_URL=stage.url,
            **tls,
        ),
        ready=lambda: health.http_answers(healthz, authority=stage.certificates.authority_file),
    )


def agent(stage: Stage) -> Part:
    """Return this machine's agent."""
    return Part(
        name="agent",
        command=[*_python("agent"), "run"],
        environment=stage.environment(
            FLICK_AGENT_IDENTITY=stage.data.agent_identity, FLICK_AGENT_CUSTOM_DIR=stage.data.agent_custom
        ),
    )


# Started one wave after the other; those of one wave need nothing of each other.
WAVES: tuple[tuple[Callable[[Stage], Part], ...], ...] = ((auth,), (ingest, query), (gateway,))

WITH_CERTIFICATE = ("ingest", "gateway")


def _python(module: str) -> list[str | Path]:
    return [sys.executable, "-P", "-m", module]
