"""What query is told at its start."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flick.config import ConfigError, setting
from services.query.stats.lifetimes import Lifetimes
from services.query.stats.targets import Target, parse_targets


@dataclass(frozen=True, kw_only=True)
class QueryConfig:
    """Settings of the service.

    Attributes:
        database_url: PostgreSQL as role flick_query.
        redis_url: Redis; query works, if less lively, while it does not answer.
        auth_address: where auth's gRPC is; off this machine it is reached by TLS.
        service_secret: what query shows auth to get its service token.
        listen: where gRPC is served, as `host:port` on loopback or `unix:PATH`; port 0 takes any.
        metrics_listen: where /metrics is served, as `host:port`; None: nowhere.
        trust_bundle_file: certificate authority in PEM by which auth is known off this machine; None: public ones.
        metrics_targets: FLick's processes of which GetStats tells, as `ingest=host:port` of its /metrics; none: itself.
        database_dir: a folder on the file system of PostgreSQL's data, if that is on this machine; None: it is not, and
            nobody foretells when it is full.
        operator_organization_id: whose admins may see the whole installation in GetStats; empty: nobody may.
        processes_retention_days, rollups_1m_retention_days, rollups_1h_retention_days, rollups_1d_retention_days: how
            long ingest keeps what; tell query the same as ingest, or the forecast of the database's size is wrong.
        log_level: the least severe log records that are written.
    """

    database_url: str = setting("FLICK_QUERY_DATABASE_URL")
    redis_url: str = setting("FLICK_REDIS_URL")
    auth_address: str = setting("FLICK_AUTH_ADDRESS")
    service_secret: str = setting("FLICK_QUERY_SERVICE_SECRET")
    listen: str = setting("FLICK_QUERY_LISTEN", default="127.0.0.1:7103")
    metrics_listen: str | None = setting("FLICK_QUERY_METRICS_LISTEN", default=None)
    trust_bundle_file: Path | None = setting("FLICK_TRUST_BUNDLE_FILE", default=None)
    metrics_targets: tuple[str, ...] = setting("FLICK_QUERY_METRICS_TARGETS", default=())
    database_dir: Path | None = setting("FLICK_QUERY_DATABASE_DIR", default=None)
    operator_organization_id: str = setting("FLICK_OPERATOR_ORGANIZATION_ID", default="")
    processes_retention_days: int = setting("FLICK_INGEST_PROCESSES_RETENTION_DAYS", default=14)
    rollups_1m_retention_days: int = setting("FLICK_INGEST_ROLLUPS_1M_RETENTION_DAYS", default=90)
    rollups_1h_retention_days: int = setting("FLICK_INGEST_ROLLUPS_1H_RETENTION_DAYS", default=730)
    rollups_1d_retention_days: int = setting("FLICK_INGEST_ROLLUPS_1D_RETENTION_DAYS", default=3650)
    log_level: str = setting("FLICK_LOG_LEVEL", default="INFO")

    def lifetimes(self) -> Lifetimes:
        """How old what ingest keeps may become."""
        return Lifetimes(
            processes_days=self.processes_retention_days,
            rollups_1m_days=self.rollups_1m_retention_days,
            rollups_1h_days=self.rollups_1h_retention_days,
            rollups_1d_days=self.rollups_1d_retention_days,
        )

    def targets(self) -> Sequence[Target]:
        """The processes of `metrics_targets`. Raises ConfigError for one that is none."""
        try:
            return parse_targets(self.metrics_targets)
        except ValueError as error:
            raise ConfigError(f"FLICK_QUERY_METRICS_TARGETS: {error}.") from error
