"""What ingest is told at its start."""

from dataclasses import dataclass
from pathlib import Path

from flick.config import ConfigError, setting
from flick.rpc.server import TlsFiles

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
    workers: int = setting("FLICK_INGEST_WORKERS", default=1)
    log_level: str = setting("FLICK_LOG_LEVEL", default="INFO")

    def __post_init__(self) -> None:
        """Refuse to seal hours that are not over, and a wait in which rows would pile up."""
        if not 0 <= self.seal_after_s <= MAX_SEAL_AFTER_S:
            raise ConfigError(
                f"FLICK_INGEST_SEAL_AFTER_S is {self.seal_after_s}, but must be 0 to {MAX_SEAL_AFTER_S};"
                " leave it out for the default."
            )

    def tls(self) -> TlsFiles | None:
        """The certificate to serve with. Raises ConfigError when only half of it is given."""
        if self.tls_cert_file is None and self.tls_key_file is None:
            return None
        if self.tls_cert_file is None or self.tls_key_file is None:
            raise ConfigError("FLICK_INGEST_TLS_CERT_FILE and FLICK_INGEST_TLS_KEY_FILE belong together. Set both.")
        return TlsFiles(certificate=self.tls_cert_file, key=self.tls_key_file)
