"""What a join token and the host that joins by it may look like, and why one is refused."""

from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration

from flick.errors import FlickError, invalid, unauthenticated
from flick.v1 import servers_pb2
from services.auth.rules.names import MAX_NAME_LENGTH, plain_text

MAX_TTL = timedelta(hours=1)
MIN_TTL = timedelta(minutes=1)
MAX_HOSTNAME_LENGTH = 253  # RFC 1035
MAX_FACT_LENGTH = 200
UNNAMED = "server"


def time_to_live(asked: Duration | None) -> timedelta:
    """How long a join token is valid; an hour when nothing is asked for. Raises INVALID_ARGUMENT."""
    if asked is None:
        return MAX_TTL
    if not MIN_TTL.total_seconds() <= asked.seconds + asked.nanos / 1e9 <= MAX_TTL.total_seconds():
        raise invalid("ttl", "must be between 60 s and 3600 s; leave it out for an hour.")
    return asked.ToTimedelta()


def checked_host(host: servers_pb2.Host) -> servers_pb2.Host:
    """The host with blanks cut off. Raises INVALID_ARGUMENT when a fact is too long or no plain text."""
    return servers_pb2.Host(
        hostname=plain_text(host.hostname, field="host.hostname", max_length=MAX_HOSTNAME_LENGTH),
        os_type=plain_text(host.os_type, field="host.os_type", max_length=MAX_FACT_LENGTH),
        os_description=plain_text(host.os_description, field="host.os_description", max_length=MAX_FACT_LENGTH),
        arch=plain_text(host.arch, field="host.arch", max_length=MAX_FACT_LENGTH),
    )


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
