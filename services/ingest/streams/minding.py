"""Minds access for all streams of a process: revoked keys end theirs, changed settings reach them."""

import itertools
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Protocol

from flick.clock import Clock
from flick.errors import FlickError
from flick.lifecycle import background
from flick.rpc.access.source import AgentKey
from flick.v1 import servers_pb2

MAX_ASKED = 500  # keys and servers in one question to auth

logger = logging.getLogger(__name__)


class Access(Protocol):
    """What is granted now; `flick.rpc.access.watch.AccessWatch` is one. Its methods raise UNAVAILABLE."""

    @property
    def fresh(self) -> bool:
        """Whether changes are heard of at once."""
        ...

    async def agent_key(self, *, key_id: str) -> AgentKey | None:
        """The key, or None when there is none or it is revoked."""
        ...

    async def agent_keys(self, *, key_ids: Sequence[str]) -> Mapping[str, AgentKey]:
        """Those of the keys that there are."""
        ...

    async def settings(self, *, server_id: str) -> servers_pb2.ServerSettings | None:
        """The server's settings, or None when there is no such server."""
        ...

    async def settings_of(self, *, server_ids: Sequence[str]) -> Mapping[str, servers_pb2.ServerSettings]:
        """The settings of those of the servers that there are."""
        ...

    def listen(self, tell: Callable[[], None], *, server_id: str) -> AbstractContextManager[None]:
        """Call `tell` whenever something about the server or its keys changes, while entered."""
        ...


class Minded(Protocol):
    """A stream, as far as access matters to it."""

    @property
    def server_id(self) -> str:
        """Whose it is."""
        ...

    @property
    def key_id(self) -> str:
        """The key that it was opened with."""
        ...

    def change_settings(self, settings: servers_pb2.ServerSettings) -> None:
        """These are the server's settings now."""
        ...

    def revoke(self) -> None:
        """Its key or its server is gone."""
        ...


class Minding:
    """Looks after the access of streams.

    Args:
        access: what is granted.
        look_every_s: how often changes are looked at.
        ask_every_s: how often all is asked for while changes are not heard of.
        clock: as everywhere.
    """

    def __init__(self, *, access: Access, look_every_s: float, ask_every_s: float, clock: Clock) -> None:
        self._access = access
        self._look_every_s = look_every_s
        self._ask_every_s = ask_every_s
        self._clock = clock
        self._minded: set[Minded] = set()
        self._changed: set[Minded] = set()

    @contextmanager
    def minded(self, stream: Minded) -> Iterator[None]:
        """Look after a stream while entered."""
        self._minded.add(stream)
        self._changed.add(stream)  # access may have changed since the call was let in
        try:
            with self._access.listen(lambda: self._changed.add(stream), server_id=stream.server_id):
                yield
        finally:
            self._minded.discard(stream)
            self._changed.discard(stream)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Minding"]:
        """Look after them while entered."""
        async with background(self._run(), name="access"):
            yield self

    async def _run(self) -> None:
        asked_at_s = self._clock.monotonic_s()
        while True:
            await self._clock.sleep(self._look_every_s)
            now_s = self._clock.monotonic_s()
            if not self._access.fresh and now_s >= asked_at_s + self._ask_every_s:
                asked_at_s = now_s
                self._changed |= self._minded
            streams, self._changed = iter(self._changed), set()
            while some := list(itertools.islice(streams, MAX_ASKED)):
                await self._try(some)

    async def _try(self, streams: Sequence[Minded]) -> None:
        try:
            await self._check(streams)
        except FlickError as error:  # auth does not answer now; it is asked again soon
            logger.debug("access can't be checked now", extra={"why": error.private})
            self._changed |= self._minded.intersection(streams)

    async def _check(self, streams: Sequence[Minded]) -> None:
        keys = await self._access.agent_keys(key_ids=[stream.key_id for stream in streams])
        settings = await self._access.settings_of(server_ids=[stream.server_id for stream in streams])
        for stream in streams:
            known = settings.get(stream.server_id)
            if stream not in self._minded:
                continue  # it has ended meanwhile
            if stream.key_id in keys and known is not None:
                stream.change_settings(known)
            else:
                await self._doubt(stream)

    async def _doubt(self, stream: Minded) -> None:
        """A key or server that joined a moment ago may be younger than what is known here: ask for it by itself."""
        key = await self._access.agent_key(key_id=stream.key_id)
        settings = await self._access.settings(server_id=stream.server_id)
        if key is None or settings is None:
            stream.revoke()
        else:
            stream.change_settings(settings)
