"""What becomes of a refresh token that somebody presents. Rotation with reuse detection (RFC 9700, section 4.14.2).

A token is exchanged once, for a child. Presented again, either its answer was lost or somebody else has it too, and
these can't be told apart at once. So a repetition within 10 s, while no child was used, gets another child; of the
children the first to be used wins, and the use of any other one ends the session. Whether a thief or the owner comes
first, the second of them to come ends it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

LIFETIME = timedelta(days=7)
RETRY_WINDOW = timedelta(seconds=10)


class Verdict(Enum):
    """What to do with the token."""

    EXCHANGE = "exchange"
    EXCHANGE_AGAIN = "exchange_again"
    REFUSE = "refuse"
    END_SESSION = "end_session"


@dataclass(frozen=True, kw_only=True)
class PresentedToken:
    """A refresh token whose secret is right, as the database knows it.

    Attributes:
        expire_time: when it ends by itself.
        use_time: when it was first exchanged; None: never.
        session_ended: whether its session was ended.
        child_used: whether a token that it was exchanged for was used.
        sibling_used: whether another child of the same parent was used.
    """

    expire_time: datetime
    use_time: datetime | None
    session_ended: bool
    child_used: bool
    sibling_used: bool


def judge(token: PresentedToken, *, now: datetime) -> Verdict:
    """Decide."""
    if token.session_ended:
        return Verdict.REFUSE
    if token.sibling_used:
        return Verdict.END_SESSION
    if token.use_time is None:
        return Verdict.EXCHANGE if now < token.expire_time else Verdict.REFUSE
    if token.child_used or now - token.use_time > RETRY_WINDOW:
        return Verdict.END_SESSION
    return Verdict.EXCHANGE_AGAIN
