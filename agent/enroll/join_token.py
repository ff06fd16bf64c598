"""Join tokens: `flj_<id>_<secret>_<fingerprint>_<checksum>`.

The format is that of `flick/tokens.py`, which the agent may not import; a test compares both.
"""

import re
import zlib
from dataclasses import dataclass

from agent.errors import AgentError

_PREFIX = "flj"
_PUBLIC_AUTHORITY = "none"
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_PARTS = 4


@dataclass(frozen=True, slots=True, repr=False)
class JoinToken:
    """A join token.

    Args:
        text: the whole, which is secret.
        fingerprint: SHA-256 of the installation's certificate authority (DER) in hex; empty: a public authority.
    """

    text: str
    fingerprint: str


def parse_join_token(text: str) -> JoinToken:
    """The token that `text` writes. Raises AgentError when it is mistyped."""
    body, _, checksum = text.strip().rpartition("_")
    parts = body.split("_")
    if parts[0] != _PREFIX:
        raise AgentError("the join token must begin with flj_; copy it as a whole from where it was shown")
    if len(parts) != _PARTS or checksum != f"{zlib.crc32(body.encode()):08x}":
        raise AgentError("the join token is incomplete or mistyped: its checksum is wrong; copy it as a whole")
    fingerprint = parts[3]
    if fingerprint == _PUBLIC_AUTHORITY:
        return JoinToken(text=text.strip(), fingerprint="")
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise AgentError("the join token carries no fingerprint that this agent can read; update the agent")
    return JoinToken(text=text.strip(), fingerprint=fingerprint)
