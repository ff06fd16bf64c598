"""How an agent is heard out: what it still says is read and let go, so that it can read why its stream ends.

gRPC's client, when it writes into a call that has ended, takes that for the call's own failure: it reports INTERNAL in
place of the status, and what it had not read yet (the Fatal) is gone. An agent sends at any moment, so its stream
ends only after it has left.
"""

import grpc

from flick.rpc.aspect import Context

HEARD_BYTES = 8 * 1024 * 1024  # all credits and a message of the largest size: who says more does not read


async def hear_out(context: Context) -> None:
    """Read on until the agent has half-closed or gone, or said more than `HEARD_BYTES`. The caller bounds the time."""
    left_bytes = HEARD_BYTES
    while left_bytes >= 0 and (raw := await context.read()) is not grpc.aio.EOF:
        left_bytes -= len(raw)
