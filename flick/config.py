"""Configuration: frozen dataclasses read from the environment and a TOML file. Standard library only.

A service declares its fields with `setting`; `load` fills them. Every name that any part of FLick reads stands in
`REGISTRY`, so that parts may share one environment and a misspelt name is still an error.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

REGISTRY: Mapping[str, str] = {
    # shared
    "FLICK_CONFIG": "A TOML file with more settings: these names in lower case without FLICK_. The environment wins.",
    "FLICK_LOG_LEVEL": "The least severe log records that are written: DEBUG, INFO, WARNING, ERROR.",
    "FLICK_REDIS_URL": "Redis, as redis://user:password@host:port/0 or unix://...",
    "FLICK_AUTH_ADDRESS": "Where auth's gRPC is, as host:port or unix:PATH.",
    "FLICK_QUERY_ADDRESS": "Where query's gRPC is, as host:port or unix:PATH.",
    "FLICK_INGEST_ADDRESS": "Where ingest's gRPC is, as host:port, or tls://host:port if by TLS on this machine, too.",
    "FLICK_PUBLIC_URL": "The address at which people and agents reach the gateway, as https://host:port.",
    "FLICK_PUBLIC_INGEST_ADDRESS": "The address at which agents reach ingest, as host:port.",
    "FLICK_TRUST_BUNDLE_FILE": "This installation's certificate authority in PEM; absent with public ones.",
    # auth
    "FLICK_AUTH_LISTEN": "Where auth serves gRPC, as host:port or unix:PATH. Port 0 takes any.",
    "FLICK_AUTH_METRICS_LISTEN": "Where auth serves /metrics, as host:port.",
    "FLICK_AUTH_DATABASE_URL": "PostgreSQL as role flick_auth.",
    "FLICK_AUTH_SIGNING_KEYS_DIR": "Folder of Ed25519 keys in PEM; the newest signs. One is made when there is none.",
    "FLICK_AUTH_SERVICE_SECRETS_FILE": "TOML file: a line per service with the SHA-256 of its secret in hex.",
    "FLICK_BOOTSTRAP_EMAIL": "E-mail address of the first admin, made by `python -m services.auth bootstrap`.",
    "FLICK_BOOTSTRAP_PASSWORD": "Password of the first admin.",
    # ingest
    "FLICK_INGEST_LISTEN": "Where ingest serves gRPC, as host:port. Port 0 takes any.",
    "FLICK_INGEST_METRICS_LISTEN": "Where ingest serves /metrics, as host:port.",
    "FLICK_INGEST_DATABASE_URL": "PostgreSQL as role flick_ingest.",
    "FLICK_INGEST_SERVICE_SECRET": "The secret by which ingest gets its service token from auth.",
    "FLICK_INGEST_TLS_CERT_FILE": "Certificate chain in PEM. Needed off loopback.",
    "FLICK_INGEST_TLS_KEY_FILE": "Private key in PEM. Needed off loopback.",
    "FLICK_INGEST_SEAL_AFTER_S": "An hour's samples are compressed so many seconds after its end. Default 900.",
    "FLICK_INGEST_PROCESSES_RETENTION_DAYS": "Snapshots of processes are kept so many days. Default 14.",
    "FLICK_INGEST_ROLLUPS_1M_RETENTION_DAYS": "Rollups of a minute are kept so many days. Default 90.",
    "FLICK_INGEST_ROLLUPS_1H_RETENTION_DAYS": "Rollups of an hour are kept so many days. Default 730.",
    "FLICK_INGEST_ROLLUPS_1D_RETENTION_DAYS": "Rollups of a day are kept so many days. Default 3650.",
    "FLICK_INGEST_WORKERS": "How many processes share the address. Default 1.",
    # query
    "FLICK_QUERY_LISTEN": "Where query serves gRPC, as host:port or unix:PATH. Port 0 takes any.",
    "FLICK_QUERY_METRICS_LISTEN": "Where query serves /metrics, as host:port.",
    "FLICK_QUERY_DATABASE_URL": "PostgreSQL as role flick_query.",
    "FLICK_QUERY_SERVICE_SECRET": "The secret by which query gets its service token from auth.",
    "FLICK_QUERY_METRICS_TARGETS": "FLick's processes, as ingest=host:port of its /metrics, separated by commas.",
    "FLICK_QUERY_DATABASE_DIR": "Folder of PostgreSQL's data, where it lies on query's own machine.",
    "FLICK_OPERATOR_ORGANIZATION_ID": "The organization whose admins may see how the whole installation does.",
    # gateway
    "FLICK_GATEWAY_LISTEN": "Where the gateway serves HTTP, as host:port. Port 0 takes any.",
    "FLICK_GATEWAY_METRICS_LISTEN": "Where the gateway serves /metrics, as host:port.",
    "FLICK_GATEWAY_TLS_CERT_FILE": "Certificate chain in PEM. Needed off loopback.",
    "FLICK_GATEWAY_TLS_KEY_FILE": "Private key in PEM. Needed off loopback.",
    "FLICK_GATEWAY_ALLOWED_ORIGINS": "Further web origins whose pages may open the WebSocket, separated by commas.",
    # agent
    "FLICK_AGENT_IDENTITY": "The agent's identity file.",
    "FLICK_AGENT_CUSTOM_DIR": "Folder of executables and .prom files with metrics of one's own.",
    "FLICK_AGENT_CUSTOM_INTERVAL_S": "How often each of those executables is run, in seconds.",
    "FLICK_AGENT_CUSTOM_STALE_S": "A .prom file that was not written for so many seconds is told as failing.",
    "FLICK_AGENT_CUSTOM_TIMEOUT_S": "How long one of those executables may run, in seconds.",
    "FLICK_AGENT_SPOOL_DIR": "Folder in which the agent keeps samples that ingest has not acked yet.",
    "FLICK_AGENT_SPOOL_MAX_BYTES": "How many bytes of such samples are kept; then the oldest go.",
    "FLICK_AGENT_CPU_BUDGET": "How much of one processor measuring may take, for example 0.05.",
    "FLICK_AGENT_MEMORY_BUDGET": "How many bytes the agent may hold resident.",
    "FLICK_AGENT_SPOOL_MAX_AGE_S": "How many seconds such samples are kept; then the oldest go.",
    # launcher and migrations
    "FLICK_DATABASE_URL": "An existing PostgreSQL with TimescaleDB, as an owner that may create roles.",
    "FLICK_MIGRATE_DATABASE_URL": "PostgreSQL as the owner of the schemas, for `python -m flick.db.migrate`.",
    # command line
    "FLICK_URL": "The gateway that the flick command talks to.",
    "FLICK_CREDENTIALS_FILE": "Where the flick command keeps its refresh token.",
}

T = TypeVar("T")


class ConfigError(Exception):
    """A setting is missing, unknown or malformed. The text names it and the fix."""


def setting(name: str, *, default: Any = dataclasses.MISSING) -> Any:
    """A dataclass field that is read from the setting `name`. Without a default it must be given."""
    return dataclasses.field(default=default, metadata={"setting": name})


def load(cls: type[T], *, environ: Mapping[str, str]) -> T:
    """Fill the dataclass `cls` from `environ` and the TOML file that FLICK_CONFIG names.

    Raises ConfigError naming the setting when one is missing, malformed or not in the registry.
    """
    _refuse_unknown([name for name in environ if name.startswith("FLICK_")], source="the environment")
    values = {**_from_file(environ.get("FLICK_CONFIG")), **environ}
    hints = typing.get_type_hints(cls)
    found: dict[str, Any] = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        name = field.metadata["setting"]
        if name in values:
            found[field.name] = _parse(name, values[name], hints[field.name])
        elif field.default is dataclasses.MISSING:
            raise ConfigError(f"{name} is not set. {REGISTRY[name]}")
    return cls(**found)


def _from_file(path: str | None) -> dict[str, str]:
    if path is None:
        return {}
    import tomllib  # 0.2 MB with difflib; the agent seldom needs either

    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"FLICK_CONFIG: {path} can't be read: {error}") from error
    values = {f"FLICK_{key.upper()}": str(value) for key, value in document.items()}
    _refuse_unknown(list(values), source=path)
    return values


def _refuse_unknown(names: list[str], *, source: str) -> None:
    for name in names:
        if name not in REGISTRY:
            import difflib  # only who misspells needs it

            close = difflib.get_close_matches(name, REGISTRY, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise ConfigError(f"{name} in {source} is not a setting of FLick.{hint}")


def _parse(name: str, text: str, hint: Any) -> Any:
    if isinstance(hint, types.UnionType):  # `int | None`: given is never None
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if typing.get_origin(hint) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if hint is bool:
        return _parse_bool(name, text)
    try:
        return hint(text)
    except ValueError as error:
        raise ConfigError(f"{name} is {text!r}, but must be of type {hint.__name__}. {REGISTRY[name]}") from error


def _parse_bool(name: str, text: str) -> bool:
    if text.lower() in ("true", "1", "yes", "on"):
        return True
    if text.lower() in ("false", "0", "no", "off"):
        return False
    raise ConfigError(f"{name} is {text!r}, but must be true or false. {REGISTRY[name]}")
