"""The gateway's settings."""

from dataclasses import dataclass
from pathlib import Path

from flick.address import is_local, split
from flick.config import ConfigError, setting


@dataclass(frozen=True, kw_only=True)
class GatewayConfig:
    """What the gateway is told by the environment or the file that FLICK_CONFIG names."""

    listen: str = setting("FLICK_GATEWAY_LISTEN")
    """host:port of REST and WebSocket; port 0 takes any. Needed."""
    auth_address: str = setting("FLICK_AUTH_ADDRESS")
    """Where auth answers. Needed."""
    query_address: str = setting("FLICK_QUERY_ADDRESS")
    """Where query answers. Needed."""
    ingest_address: str = setting("FLICK_INGEST_ADDRESS")
    """Where ingest answers; tls://host:port where it speaks TLS on this machine, too. Needed."""
    metrics_listen: str | None = setting("FLICK_GATEWAY_METRICS_LISTEN", default=None)
    """host:port of /metrics. Absent: not served."""
    tls_cert_file: Path | None = setting("FLICK_GATEWAY_TLS_CERT_FILE", default=None)
    """Certificate chain in PEM. Absent: plain HTTP, on loopback only."""
    tls_key_file: Path | None = setting("FLICK_GATEWAY_TLS_KEY_FILE", default=None)
    """Its private key in PEM."""
    allowed_origins: tuple[str, ...] = setting("FLICK_GATEWAY_ALLOWED_ORIGINS", default=())
    """Web origins, besides the gateway's own, whose pages may open the WebSocket and change things. Absent: none."""
    public_url: str | None = setting("FLICK_PUBLIC_URL", default=None)
    """The address that people use; an own origin too. Absent: only the address of each request counts as own."""
    trust_bundle_file: Path | None = setting("FLICK_TRUST_BUNDLE_FILE", default=None)
    """The authority to trust when a service is on another machine or speaks TLS. Absent: the system's authorities."""
    log_level: str = setting("FLICK_LOG_LEVEL", default="INFO")
    """Least severe log records that are written."""

    def __post_init__(self) -> None:
        """Refuse half a key pair, and plain HTTP where others could listen."""
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            raise ConfigError(
                "FLICK_GATEWAY_TLS_CERT_FILE and FLICK_GATEWAY_TLS_KEY_FILE belong together: set both or neither."
            )
        for name, path in (
            ("FLICK_GATEWAY_TLS_CERT_FILE", self.tls_cert_file),
            ("FLICK_GATEWAY_TLS_KEY_FILE", self.tls_key_file),
            ("FLICK_TRUST_BUNDLE_FILE", self.trust_bundle_file),
        ):
            if path and not path.is_file():
                raise ConfigError(f"{name} is {str(path)!r}, but there is no such file.")
        try:
            split(self.listen)
        except ValueError as error:
            raise ConfigError(f"FLICK_GATEWAY_LISTEN: {error}.") from error
        if not self.tls_cert_file and not is_local(self.listen):
            raise ConfigError(
                f"FLICK_GATEWAY_LISTEN is {self.listen!r}, which others can reach, so it needs TLS: set "
                "FLICK_GATEWAY_TLS_CERT_FILE and FLICK_GATEWAY_TLS_KEY_FILE, or listen on 127.0.0.1."
            )

    @property
    def own_origins(self) -> tuple[str, ...]:
        """Origins that are let in besides the one that a request was sent to."""
        return (*self.allowed_origins, *([self.public_url.rstrip("/")] if self.public_url else []))
