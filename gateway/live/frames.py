"""The frames of live.proto as JSON text, and what is wrong with a frame that can't be taken."""

from google.protobuf.message import Message

from flick.clock import Clock
from flick.errors import FlickError, Kind, invalid
from flick.rpc.status import to_status
from flick.v1 import live_pb2, query_pb2
from gateway.live.limits import LiveLimits
from gateway.transcode.codec.decode import Decoder
from gateway.transcode.codec.encode import EncoderSet, json_bytes
from gateway.transcode.codec.fault import JsonError
from gateway.transcode.codec.text import parse_json
from gateway.transcode.codec.types import Types

MAX_SUBSCRIPTION_ID_LENGTH = 64
FRAMES = ("authenticate", "subscribe", "unsubscribe")


class Frames:
    """Reads LiveRequest and writes LiveResponse. Shared by all sockets."""

    def __init__(self, *, limits: LiveLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        encoders = EncoderSet(Types())
        self._decode = Decoder(live_pb2.LiveRequest.DESCRIPTOR)
        self._response = encoders.message(live_pb2.LiveResponse.DESCRIPTOR)
        self._update = encoders.message(query_pb2.WatchMetricsResponse.DESCRIPTOR)

    def read(self, text: str) -> live_pb2.LiveRequest:
        """The frame that `text` writes. Raises INVALID_ARGUMENT naming the field."""
        try:
            frame = self._decode.from_object(parse_json(text.encode()))
        except JsonError as fault:
            raise invalid(fault.field or "frame", fault.reason) from None
        assert isinstance(frame, live_pb2.LiveRequest)
        if frame.WhichOneof("frame") is None:
            raise invalid("frame", f"has none of the fields {', '.join(FRAMES)}; set exactly one of them.")
        return frame

    def check_subscribe(self, subscribe: live_pb2.LiveSubscribe) -> None:
        """Raise INVALID_ARGUMENT for what the contract does not allow. Who may see what, query decides."""
        length = len(subscribe.subscription_id)
        if not 0 < length <= MAX_SUBSCRIPTION_ID_LENGTH:
            raise invalid(
                "subscribe.subscriptionId", f"has {length} characters; give 1 to {MAX_SUBSCRIPTION_ID_LENGTH}."
            )
        limit = self._limits.servers_per_subscription
        if not 0 < len(subscribe.server_ids) <= limit:
            raise invalid("subscribe.serverIds", f"names {len(subscribe.server_ids)} servers; give 1 to {limit}.")

    def ready(self) -> bytes:
        """The viewer is known."""
        return self._write(live_pb2.LiveResponse(ready=live_pb2.LiveReady()))

    def heartbeat(self) -> bytes:
        """A sign of life."""
        frame = live_pb2.LiveResponse(heartbeat=live_pb2.LiveHeartbeat())
        frame.heartbeat.time.FromNanoseconds(self._clock.time_unix_nano())
        return self._write(frame)

    def error(self, error: FlickError, *, subscription_id: str = "") -> bytes:
        """What went wrong."""
        live_error = live_pb2.LiveError(subscription_id=subscription_id, status=to_status(error))
        return self._write(live_pb2.LiveResponse(error=live_error))

    def metrics(self, update: query_pb2.WatchMetricsResponse, *, subscription_id: str) -> bytes:
        """Values of a subscription; written around the update, which is large, instead of copying it."""
        return json_bytes({"metrics": {"subscriptionId": subscription_id, "update": self._update(update)}})

    def _write(self, frame: Message) -> bytes:
        return json_bytes(self._response(frame))


def too_many(what: str) -> FlickError:
    """RESOURCE_EXHAUSTED: a limit of the live sockets."""
    return FlickError(Kind.RESOURCE_EXHAUSTED, what, reason="LIVE_LIMIT")
