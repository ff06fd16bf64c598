"""What ingest is told at its start."""

from dataclasses import dataclass
from pathlib import Path

from flick.config import ConfigError, setting
from flick.rpc.server import TlsFiles
from services.ingest.retention.lifetimes import Lifetimes

MAX_KEPT_DAYS = 36_500  # a century
MAX_SEAL_AFTER_S = 86_400  # a day of rows, each seven times as large as sealed


@dataclass(frozen=True, kw_only=True)
class IngestConfig:
    """Settings of the service.

    Attributes:
        database_url: PostgreSQL as role flick_ingest.
        redis_url: Redis; while it does not answer viewers see nothing new, and nothing else is different.
        auth_address: where auth's gRPC is; off this machine it is reached by TLS.
        service_secret: what ingest shows auth to get its service token.
        listen: where gRPC is served, as `host:port`; port 0 takes any.
        metrics_listen: where /metrics is served, as `host:port`; None: nowhere.
        tls_cert_file, tls_key_file: certificate chain and key in PEM; None: plaintext, which only loopback may have.
        trust_bundle_file: certificate authority in PEM by which auth is known off this machine; None: public ones.
        seal_after_s: an hour's samples are compressed so many seconds after it ended and the last of them came.
        processes_retention_days: snapshots of processes are kept so long, but never longer than their server's samples,
            for which the server's settings tell it.
        rollups_1m_retention_days, rollups_1h_retention_days, rollups_1d_retention_days: rollups of a minute, an hour
            and a day are kept so long.
        workers: how many processes share the address; one per processor core is the most that helps.
        log_level: the least severe log records that are written.
    """

    database_url: str = setting("FLICK_INGEST_DATABASE_URL")
    redis_url: str = setting("FLICK_REDIS_URL")
    auth_address: str = setting("FLICK_AUTH_ADDRESS")
    service_secret: str = setting("FLICK_INGEST_SERVICE_SECRET")
    listen: str = setting("FLICK_INGEST_LISTEN", default="127.0.0.1:7102")
    metrics_listen: str | None = setting("FLICK_INGEST_METRICS_LISTEN", default=None)
    tls_cert_file: Path | None = setting("FLICK_INGEST_TLS_CERT_FILE", default=None)
    tls_key_file: Path | None = setting("FLICK_INGEST_TLS_KEY_FILE", default=None)
    trust_bundle_file: Path | None = setting("FLICK_TRUST_BUNDLE_FILE", default=None)
    seal_after_s: int = setting("FLICK_INGEST_SEAL_AFTER_S", default=900)
    processes_retention_days: int = setting("FLICK_INGEST_PROCESSES_RETENTION_DAYS", default=14)
    rollups_1m_retention_days: int = setting("FLICK_INGEST_ROLLUPS_1M_RETENTION_DAYS", default=90)
    rollups_1h_retention_days: int = setting("FLICK_INGEST_ROLLUPS_1H_RETENTION_DAYS", default=730)
    rollups_1d_retention_days: int = setting("FLICK_INGEST_ROLLUPS_1D_RETENTION_DAYS", default=3650)
    workers: int = setting("FLICK_INGEST_WORKERS", default=1)
    log_level: str = setting("FLICK_LOG_LEVEL", default="INFO")

    def __post_init__(self) -> None:
        """Refuse to seal hours that are not over, and a wait in which rows would pile up."""
        if not 0 <= self.seal_after_s <= MAX_SEAL_AFTER_S:
            raise ConfigError(
                f"FLICK_INGEST_SEAL_AFTER_S is {self.seal_after_s}, but must be 0 to {MAX_SEAL_AFTER_S};"
                " leave it out for the default."
            )

        kept = {
            "PROCESSES": self.processes_retention_days,
            "ROLLUPS_1M": self.rollups_1m_retention_days,
            "ROLLUPS_1H": self.rollups_1h_retention_days,
            "ROLLUPS_1D": self.rollups_1d_retention_days,
        }
        for name, days in kept.items():
            if not 1 <= days <= MAX_KEPT_DAYS:
                raise ConfigError(
                    f"FLICK_INGEST_{name}_RETENTION_DAYS is {days}, but must be 1 to {MAX_KEPT_DAYS};"
                    " leave it out for the default."
                )
        if not kept["ROLLUPS_1M"] <= kept["ROLLUPS_1H"] <= kept["ROLLUPS_1D"]:
            raise ConfigError(
                f"Rollups are kept {kept['ROLLUPS_1M']} (FLICK_INGEST_ROLLUPS_1M_RETENTION_DAYS), {kept['ROLLUPS_1H']}"
                f" (…_1H_…) and {kept['ROLLUPS_1D']} days (…_1D_…), but coarser ones must be kept as long or longer."
            )

    def lifetimes(self) -> Lifetimes:
        """How long is kept what no server's settings tell."""
        return Lifetimes(
            processes_days=self.processes_retention_days,
            minutes_days=self.rollups_1m_retention_days,
            hours_days=self.rollups_1h_retention_days,
            days_days=self.rollups_1d_retention_days,
        )

    def tls(self) -> TlsFiles | None:
        """The certificate to serve with. Raises ConfigError when only half of it is given."""
        if self.tls_cert_file is None and self.tls_key_file is None:
            return None
        if self.tls_cert_file is None or self.tls_key_file is None:
            raise ConfigError("FLICK_INGEST_TLS_CERT_FILE and FLICK_INGEST_TLS_KEY_FILE belong together. Set both.")
        return TlsFiles(certificate=self.tls_cert_file, key=self.tls_key_file)
