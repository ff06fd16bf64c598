"""What can be wrong with a connection, in words that say what helps."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Problem(Enum):
    """What a probe can tell apart."""

    NAME_NOT_RESOLVED = "name not resolved"
    CONNECTION_REFUSED = "connection refused"
    NO_ANSWER = "no answer"
    NOT_REACHABLE = "not reachable"
    NOT_TLS = "not TLS"
    UNKNOWN_AUTHORITY = "unknown authority"
    WRONG_NAME = "wrong name"
    CERTIFICATE_DATES = "certificate dates"
    TLS = "TLS"
    NOT_GRPC = "not gRPC"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A problem, and in words what is wrong and what helps."""

    problem: Problem
    text: str


def name_not_resolved(host: str, reason: str) -> Diagnosis:
    """No address for a name."""
    text = f"the name {host} can't be resolved ({reason}); check its spelling and this machine's DNS"
    return Diagnosis(Problem.NAME_NOT_RESOLVED, text)


def connection_refused(address: str) -> Diagnosis:
    """Nobody listens."""
    text = f"{address} refuses connections; check that FLick runs there and that the port is right"
    return Diagnosis(Problem.CONNECTION_REFUSED, text)


def no_answer(address: str) -> Diagnosis:
    """Packets get lost."""
    text = f"{address} does not answer; check whether a firewall between here and there drops the packets"
    return Diagnosis(Problem.NO_ANSWER, text)


def not_reachable(address: str, reason: str) -> Diagnosis:
    """The network says no."""
    return Diagnosis(Problem.NOT_REACHABLE, f"{address} can't be reached: {reason}; check this machine's network")


def not_tls(address: str) -> Diagnosis:
    """The other side speaks something else."""
    text = f"{address} does not speak TLS: it is a plaintext port, or something in between breaks TLS; check the port"
    return Diagnosis(Problem.NOT_TLS, text)


def tls_fails(address: str, reason: str) -> Diagnosis:
    """TLS, but not in a way that both know."""
    return Diagnosis(Problem.TLS, f"TLS with {address} fails: {reason}")


def not_grpc(address: str) -> Diagnosis:
    """TLS without HTTP/2."""
    text = f"{address} speaks TLS but no gRPC; perhaps it is the gateway's port where ingest's is needed"
    return Diagnosis(Problem.NOT_GRPC, text)


def unknown_authority(address: str, reason: str) -> Diagnosis:
    """A certificate from somebody else."""
    text = (
        f"the certificate of {address} comes from an authority that this agent does not trust ({reason}); "
        "if FLick was installed anew there, enroll this server again"
    )
    return Diagnosis(Problem.UNKNOWN_AUTHORITY, text)


def wrong_name(address: str, host: str, names: str) -> Diagnosis:
    """A certificate for other names."""
    text = f"the certificate of {address} is for {names}, not for {host}; use one of those names, or have {host} added"
    return Diagnosis(Problem.WRONG_NAME, text)


def certificate_dates(address: str, *, begins: datetime | None, ends: datetime | None, now: datetime) -> Diagnosis:
    """A certificate that is not valid now, which may be this machine's clock's fault."""
    clock = f"this machine's clock says {_moment(now)}"
    if begins is not None and now < begins:
        behind_s = (begins - now).total_seconds()
        text = (
            f"the certificate of {address} is valid from {_moment(begins)}, but {clock}: "
            f"it is at least {behind_s:.0f} s behind; set the clock"
        )
    else:
        ended = f" {_moment(ends)}" if ends else ""
        fix = "set the clock if it is wrong, else renew the certificate"
        text = f"the certificate of {address} ended{ended} and {clock}; {fix}"
    return Diagnosis(Problem.CERTIFICATE_DATES, text)


def clock_off(ahead_s: float) -> str:
    """How far this machine's clock is from FLick's, and what helps."""
    side = "ahead of" if ahead_s > 0 else "behind"
    fix = "set the clock, for example by `timedatectl set-ntp true`"
    return f"this machine's clock is {abs(ahead_s):.0f} s {side} FLick's; {fix}"


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
