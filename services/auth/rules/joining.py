"""What a join token and the host that joins by it may look like, and why one is refused."""

import ipaddress
from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration

from flick.errors import FlickError, invalid, unauthenticated
from flick.v1 import servers_pb2
from services.auth.rules.names import MAX_NAME_LENGTH, plain_text

MAX_TTL = timedelta(hours=1)
MIN_TTL = timedelta(minutes=1)
MAX_HOSTNAME_LENGTH = 253  # RFC 1035
MAX_FACT_LENGTH = 200
MAX_ADDRESSES = 32
FACTS = (
    "hostname",
    "os_type",
    "os_description",
    "arch",
    "kernel_release",
    "cpu_model",
    "virtualization",
    "machine_id",
)
_LAST_MOMENT_S = 253_402_300_799  # the end of the year 9999, as far as a Timestamp goes
_MAX_MEMORY_BYTES = 2**63 - 1
UNNAMED = "server"


def time_to_live(asked: Duration | None) -> timedelta:
    """How long a join token is valid; an hour when nothing is asked for. Raises INVALID_ARGUMENT."""
    if asked is None:
        return MAX_TTL
    if not MIN_TTL.total_seconds() <= asked.seconds + asked.nanos / 1e9 <= MAX_TTL.total_seconds():
        raise invalid("ttl", "must be between 60 s and 3600 s; leave it out for an hour.")
    return asked.ToTimedelta()


def checked_host(host: servers_pb2.Host) -> servers_pb2.Host:
    """The host with blanks cut off. Raises INVALID_ARGUMENT when a fact is too long, no plain text, or none at all."""
    checked = servers_pb2.Host()
    checked.CopyFrom(host)
    checked.DiscardUnknownFields()
    for fact in FACTS:
        most = MAX_HOSTNAME_LENGTH if fact == "hostname" else MAX_FACT_LENGTH
        setattr(checked, fact, plain_text(getattr(host, fact), field=f"host.{fact}", max_length=most))
    if host.memory_limit > _MAX_MEMORY_BYTES:
        raise invalid("host.memory_limit", f"is {host.memory_limit}; give bytes, at most {_MAX_MEMORY_BYTES}.")
    if len(host.addresses) > MAX_ADDRESSES:
        raise invalid("host.addresses", f"has {len(host.addresses)}; give at most {MAX_ADDRESSES}.")
    checked.addresses[:] = [_address(text) for text in host.addresses]
    if not (0 <= host.boot_time.seconds <= _LAST_MOMENT_S and host.boot_time.nanos == 0):
        raise invalid("host.boot_time", "is no point in time in whole seconds.")
    return checked


def checked_agent_version(text: str) -> str:
    """The version with blanks cut off. Raises INVALID_ARGUMENT when it is too long or no plain text."""
    return plain_text(text, field="agent_version", max_length=MAX_NAME_LENGTH)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))  # without the name of an interface
    except ValueError:
        raise invalid("host.addresses", "has one that is no IPv4 or IPv6 address.") from None


def server_name(*, wanted: str, host: servers_pb2.Host) -> str:
    """The display name of a new server: the one that its join token says, else its host name."""
    return wanted or host.hostname[:MAX_NAME_LENGTH] or UNNAMED


def refusal(*, secret_is_right: bool, use_time: datetime | None) -> FlickError:
    """Why a join token could not be used. Only who has the right secret is told more than that it is not valid."""
    if not secret_is_right:
        return unauthenticated("The join token is not valid. Make a new one.", reason="JOIN_TOKEN_INVALID")
    if use_time is not None:
        return unauthenticated(
            "The join token was used already; it is good for one server. Make a new one.", reason="JOIN_TOKEN_USED"
        )
    return unauthenticated("The join token has expired. Make a new one.", reason="JOIN_TOKEN_EXPIRED")
