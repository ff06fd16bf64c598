"""How long a call may take: the request's `Grpc-Timeout`, else the default; never without end."""

import re

from gateway.transcode.errors import bad_request

_TIMEOUT = re.compile(r"(\d{1,19})([HMSmun])", re.ASCII)
_UNIT_S = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


def call_timeout_s(header: str, *, default_s: float, max_s: float) -> float:
    """Seconds until the deadline; raises RefusedError for a value that is no `<digits><H|M|S|m|u|n>`."""
    if not header:
        return min(default_s, max_s)
    found = _TIMEOUT.fullmatch(header)
    if found is None:
        raise bad_request("", f"invalid grpc-timeout: {header[:40]!r} is no number with a unit H, M, S, m, u or n")
    return min(int(found.group(1)) * _UNIT_S[found.group(2)], max_s)
