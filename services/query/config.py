"""What query is told at its start."""

from dataclasses import dataclass
from pathlib import Path

from flick.config import setting


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
        log_level: the least severe log records that are written.
    """

    database_url: str = setting("FLICK_QUERY_DATABASE_URL")
    redis_url: str = setting("FLICK_REDIS_URL")
    auth_address: str = setting("FLICK_AUTH_ADDRESS")
    service_secret: str = setting("FLICK_QUERY_SERVICE_SECRET")
    listen: str = setting("FLICK_QUERY_LISTEN", default="127.0.0.1:7103")
    metrics_listen: str | None = setting("FLICK_QUERY_METRICS_LISTEN", default=None)
    trust_bundle_file: Path | None = setting("FLICK_TRUST_BUNDLE_FILE", default=None)
    log_level: str = setting("FLICK_LOG_LEVEL", default="INFO")
