"""One subscription: a WatchMetrics call with the viewer's own token, so that query decides what they may see."""

import asyncio
from collections.abc import Callable

import grpc

from flick.errors import FlickError, unavailable
from flick.v1 import live_pb2, query_pb2, query_pb2_grpc
from gateway.live.viewer import Metadata, public_error

Deliver = Callable[[query_pb2.WatchMetricsResponse], None]


class Subscription:
    """What a viewer asked to see under one name."""

    def __init__(
        self,
        *,
        wanted: live_pb2.LiveSubscribe,
        query: "query_pb2_grpc.QueryServiceAsyncStub",
        silence_s: float,
        deliver: Deliver,
    ) -> None:
        self.name = wanted.subscription_id
        self._request = query_pb2.WatchMetricsRequest(server_ids=wanted.server_ids, names=wanted.names)
        self._query = query
        self._silence_s = silence_s
        self._deliver = deliver

    async def run(self, *, metadata: Metadata) -> FlickError:
        """Deliver values until the call ends; returns why it did. A cancelled caller cancels the call."""
        call = self._query.WatchMetrics(self._request, metadata=metadata)
        try:
            while True:
                async with asyncio.timeout(self._silence_s):
                    response = await call.read()
                if not isinstance(response, query_pb2.WatchMetricsResponse):  # the end of the stream
                    return unavailable("The subscription ended. Subscribe again.", private="query ended the stream")
                if response.server_id:  # empty: a sign of life
                    self._deliver(response)
        except TimeoutError:
            return unavailable("The subscription fell silent. Subscribe again.", private="query sends nothing")
        except grpc.aio.AioRpcError as error:
            return public_error(error)
        finally:
            call.cancel()
