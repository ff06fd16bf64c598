"""How often things happen while somebody watches."""

from dataclasses import dataclass

from flick.bus.live import WATCH_REFRESH_S


@dataclass(frozen=True, kw_only=True)
class WatchTimes:
    """Periods in seconds. The defaults are the contract's promises; tests shorten them.

    Attributes:
        sign_of_life_s: without a value for so long, a viewer gets an empty message.
        confirm_s: how often it is confirmed that a viewer may still see; a loss must end the stream within 5 s.
        mark_s: how often servers are marked as watched.
        hasty_mark_s: the same while Redis is away, and for `mark_s` afterwards.
        poll_s: how often it is looked for servers of which nothing new was heard for too long.
        patience_s: how long after its interval a server's sample may come before storage is asked for it.
    """

    sign_of_life_s: float = 15.0
    confirm_s: float = 2.0
    mark_s: float = WATCH_REFRESH_S
    hasty_mark_s: float = 1.0
    poll_s: float = 1.0
    patience_s: float = 2.0
