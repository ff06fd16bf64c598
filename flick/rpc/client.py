"""Channels to FLick's gRPC servers. Plaintext never leaves the machine."""

from pathlib import Path

import grpc

from flick.address import is_local
from flick.config import ConfigError
from flick.errors import FlickError, Kind

MAX_MESSAGE_BYTES = 16 * 1024 * 1024  # a page of 1,000 servers or 50 series of 5,000 points stay below 8 MiB

TLS_PREFIX = "tls://"  # before the address of a process that speaks TLS on this machine, too

_OPTIONS: list[tuple[str, int | str]] = [
    ("grpc.http2.bdp_probe", 0),  # bounds the memory of a stalled stream: measured 95 KiB against 4 to 5 MiB
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_reconnect_backoff_ms", 5_000),
]


def open_channel(
    address: str, *, ca_pem: bytes | None = None, tls: bool = False, options: list[tuple[str, int | str]] | None = None
) -> grpc.aio.Channel:
    """A channel to `address`, closed by its `async with`.

    Args:
        address: `host:port` or `unix:PATH`.
        ca_pem: the certificate authority to trust; given or `tls` set, the channel uses TLS.
        tls: use TLS with the system's authorities.
        options: further gRPC options.

    Raises FAILED_PRECONDITION when the address is off this machine and TLS is not asked for.
    """
    every_option = [*_OPTIONS, *(options or [])]
    if ca_pem or tls:
        credentials = grpc.ssl_channel_credentials(root_certificates=ca_pem or None)
        return grpc.aio.secure_channel(address, credentials, options=every_option)
    if not is_local(address):
        raise FlickError(
            Kind.FAILED_PRECONDITION,
            f"{address} is not on this machine, so it needs TLS: give the certificate authority to trust.",
        )
    return grpc.aio.insecure_channel(address, options=every_option)


def open_own_channel(address: str, *, trust_bundle_file: Path | None) -> grpc.aio.Channel:
    """A channel from one of FLick's processes to another: plain on this machine, by TLS off it, and to `tls://host:port`.

    `trust_bundle_file` holds the authority, in PEM, by which the other is known by TLS; None: a public one. Raises
    ConfigError when it can't be read.
    """
    bare = address.removeprefix(TLS_PREFIX)
    if bare == address and is_local(address):
        return open_channel(address)
    try:
        authority = trust_bundle_file.read_bytes() if trust_bundle_file else None
    except OSError as error:
        raise ConfigError(f"FLICK_TRUST_BUNDLE_FILE can't be read: {error}") from error
    return open_channel(bare, ca_pem=authority, tls=True)
