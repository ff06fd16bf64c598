"""What the gateway counts."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class GatewayMetrics:
    """The gateway's own metrics; the services behind it count their calls themselves."""

    def __init__(self, *, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "flick_gateway_requests", "HTTP requests answered.", ["method", "status"], registry=registry
        )
        self.seconds = Histogram(
            "flick_gateway_request_seconds", "Time from a request's head to the end of its answer.", registry=registry
        )
        self.in_flight = Gauge("flick_gateway_requests_in_flight", "HTTP requests being answered.", registry=registry)
        self.sockets = Gauge("flick_gateway_live_sockets", "Open live sockets.", registry=registry)
        self.subscriptions = Gauge("flick_gateway_live_subscriptions", "Running subscriptions.", registry=registry)
        self.frames_sent = Counter("flick_gateway_live_frames_sent", "Frames sent to viewers.", registry=registry)
        self.frames_dropped = Counter(
            "flick_gateway_live_frames_dropped", "Values left out for viewers that read too slowly.", registry=registry
        )
        self.closed = Counter(
            "flick_gateway_live_sockets_closed", "Live sockets that ended, by close code.", ["code"], registry=registry
        )
