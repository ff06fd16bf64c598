"""What a caller is told whose question could not be answered in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flick.errors import FlickError, Kind

LIMIT_S = 13.0  # a call ends after 15 s without a word of what would do


@asynccontextmanager
async def advice_on_timeout(advice: str, *, limit_s: float = LIMIT_S) -> AsyncIterator[None]:
    """Raise DEADLINE_EXCEEDED with `advice`, which says what would do, after `limit_s` or if the database gives up."""
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError as error:
        raise FlickError(Kind.DEADLINE_EXCEEDED, advice, private=f"not done within {limit_s:g} s") from error
    except FlickError as error:
        if error.kind is not Kind.DEADLINE_EXCEEDED:
            raise
        raise FlickError(Kind.DEADLINE_EXCEEDED, advice, private=error.private) from error
