"""How long a call may take: what the request's `Grpc-Timeout` says, else what the host does."""

import re

from gateway.transcode.errors import bad_request

_TIMEOUT = re.compile(r"([+-]?)(\d{1,64})([HMSmun])", re.ASCII)
_UNIT_S = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_LARGEST = 2**63 - 1
_LONGEST_S = 10 * 365 * 86400.0  # longer deadlines gain nothing, and the clocks below have their limits


def call_timeout_s(header: str, *, default_s: float, max_s: float) -> float | None:
    """Seconds until the deadline, 0 for one that is past, None for none; of `default_s` and `max_s` 0 means none.

    Raises RefusedError for a value that is no `<integer><H|M|S|m|u|n>`.
    """
    wanted_s = _read(header) if header else default_s
    if wanted_s == 0.0:
        return max_s or None
    return max(min(wanted_s, max_s or _LONGEST_S), 0.0)


def _read(header: str) -> float:
    found = _TIMEOUT.fullmatch(header)
    if found is None or int(found.group(2)) > _LARGEST:
        raise bad_request("", f"invalid grpc-timeout: {header[:40]!r} is no integer with a unit H, M, S, m, u or n")
    wanted_s = int(found.group(2)) * _UNIT_S[found.group(3)]
    return -wanted_s if found.group(1) == "-" else wanted_s
