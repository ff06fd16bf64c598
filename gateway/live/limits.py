"""What a viewer may take."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LiveLimits:
    """Limits of the live sockets. The defaults are the product's; tests use smaller ones."""

    authenticate_s: float = 5.0
    """Time for the first frame to come, where the token did not come with the handshake."""
    heartbeat_s: float = 15.0
    """Time between signs of life."""
    silence_s: float = 40.0
    """A WatchMetrics call that says nothing for this long, not even its sign of life of every 15 s, is broken."""
    stall_s: float = 10.0
    """A viewer that takes nothing for this long is closed with 1013."""
    tick_s: float = 1.0
    """How often expiry and heartbeat are looked at."""
    drain_s: float = 3.0
    """Viewers are told to come back within this time, spread evenly, when the gateway leaves."""
    queue_messages: int = 256
    """Frames that wait for one viewer; beyond it values are coalesced."""
    queue_bytes: int = 1024 * 1024
    """The same in bytes."""
    subscriptions: int = 20
    """Subscriptions of one socket."""
    sockets_per_user: int = 20
    """Sockets of one user on this gateway."""
    servers_per_subscription: int = 100
    """By the contract."""
    frames_burst: int = 100
    """Frames that a viewer may send at once; then `frames_per_s` a second."""
    frames_per_s: float = 10.0
    """Each frame costs a call to the services behind."""
    bad_frames_burst: int = 10
    """Frames that can't be taken which a viewer may send at once; then one every 10 s."""
    bad_frames_per_s: float = 0.1
    """A program that goes on sending nonsense is broken or bad."""
