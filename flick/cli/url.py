"""Addresses of gateways as people type them. Pure."""

from urllib.parse import urlsplit

from flick.address import is_loopback
from flick.cli.failure import CliError, ExitCode

DEFAULT_URL = "http://127.0.0.1:8080"  # where `flick up` serves


def checked_url(text: str) -> str:
    """`text` as `scheme://host[:port]`. Raises CliError when it is no such address, or would send secrets in clear."""
    parts = urlsplit(text.strip())
    try:
        port = parts.port
    except ValueError:
        port = None
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise CliError(f"{text!r} is no address of a gateway; write it as https://HOST:PORT.", code=ExitCode.USAGE)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise CliError(f"{text} would send your password in clear over the network; use https://.", code=ExitCode.USAGE)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}"
