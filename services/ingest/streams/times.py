"""How long things last on a stream."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StreamTimes:
    """Seconds; tests shorten them.

    Attributes:
        hello_s: how long a new stream may take to say Hello.
        look_every_s: how often it is looked whether a stream is to be pinged, sent away or given up.
        ping_every_s: a Ping is sent when nothing was said or heard for so long.
        spool_every_s: and at least so often, for the state of the agent's spool.
        silent_after_s: a stream on which nothing came for so long is given up.
        lifetime_s: how long a stream lives, plus or minus a fifth, so that agents spread anew over all processes.
        drain_s: how long an agent may finish what it sent after Drain.
        settle_s: how long commits that are under way are waited for after that.
        hear_out_s: how long an agent that was told Fatal is heard on before its stream ends.
        reconnect_within_s: agents that are sent away come back at a random moment within this time.
        quiet_s: a process that ends listens until no agent has come for so long, or has been sent away,
        linger_s: and at most for so long.
        access_every_s: how often access is asked for while auth's stream is broken.
        claims_every_s: how often it is looked which streams were taken over by other processes.
        live_interval_s: between two samples of a watched server.
    """

    hello_s: float = 10.0
    look_every_s: float = 1.0
    ping_every_s: float = 15.0
    spool_every_s: float = 60.0
    silent_after_s: float = 30.0
    lifetime_s: float = 600.0
    drain_s: float = 5.0
    settle_s: float = 4.0  # with drain_s below the 10 s that a stopping process has
    hear_out_s: float = 1.0  # an agent that has read Fatal leaves at once; a revoked one is gone within 5 s
    reconnect_within_s: float = 1.0
    quiet_s: float = 0.5  # of connecting, TLS and Hello, which take 10 ms; with time for machines that are busy
    linger_s: float = 2.0
    access_every_s: float = 4.0  # a revoked key's stream ends within 5 s
    claims_every_s: float = 1.0  # an agent that another one pushes aside hears of it within 5 s
    live_interval_s: float = 1.0
