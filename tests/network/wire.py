"""The line to a server of PostgreSQL or Redis, which a test may cut and mend, for one program alone."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.network.proxy import FaultProxy, Link


class Wire:
    """What `proxy` passes on, all of it or nothing."""

    def __init__(self, *, proxy: FaultProxy) -> None:
        self._proxy = proxy

    def cut(self) -> None:
        """End every connection and take no further one."""
        self._proxy.link.refused = True
        self._proxy.reset()

    def mend(self) -> None:
        """Take connections again."""
        self._proxy.link.refused = False


@asynccontextmanager
async def wired(url: str) -> AsyncIterator[tuple[str, Wire]]:
    """The same server's address over a wire, and the wire. `url` names host and port."""
    parts = urlsplit(url)
    user, _, target = parts.netloc.rpartition("@")
    proxy = FaultProxy(targets=lambda: target, link=Link(), rng=random.Random(1))
    async with proxy.serving() as address:
        yield parts._replace(netloc=f"{user}@{address}").geturl(), Wire(proxy=proxy)
