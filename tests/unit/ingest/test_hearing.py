"""An agent that was told Fatal is heard out, but not without end."""

from typing import Any, cast

import grpc
import pytest

from flick.rpc.aspect import Context
from services.ingest.streams.hearing import HEARD_BYTES, hear_out

PIECE_BYTES = 1024 * 1024


class _Call:
    """A call on which an agent sends so many pieces and then half-closes."""

    def __init__(self, *, pieces: int) -> None:
        self.left = pieces

    async def read(self) -> Any:
        if not self.left:
            return grpc.aio.EOF
        self.left -= 1
        return b"\0" * PIECE_BYTES


@pytest.mark.parametrize(
    ("pieces", "unread"),
    [(0, 0), (3, 0), (HEARD_BYTES // PIECE_BYTES + 5, 4)],
    ids=["nothing", "a little", "without end"],
)
async def test_an_agent_is_heard_to_its_end_or_to_the_limit(pieces: int, unread: int) -> None:
    call = _Call(pieces=pieces)
    await hear_out(cast("Context", call))

    assert call.left == unread
