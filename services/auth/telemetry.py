"""What auth counts of its own, beside the calls that every server counts."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class AuthMetrics:
    """Outcomes of signing in, refreshing and enrolling, and the streams that watch access."""

    def __init__(self, *, registry: CollectorRegistry) -> None:
        self.logins = Counter("flick_auth_logins", "Attempts to sign in, by outcome.", ["outcome"], registry=registry)
        self.refreshes = Counter(
            "flick_auth_refreshes", "Refresh tokens presented, by verdict.", ["verdict"], registry=registry
        )
        self.enrollments = Counter(
            "flick_auth_enrollments", "Join tokens presented, by outcome.", ["outcome"], registry=registry
        )
        self.watchers = Gauge("flick_auth_watchers", "Streams that watch access.", registry=registry)
