"""Access of streams: asked for in few questions, and doubted before a stream is ended."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from flick.clock import SystemClock
from flick.errors import unavailable
from flick.rpc.access.source import AgentKey
from flick.v1 import servers_pb2
from services.ingest.streams.minding import MAX_ASKED, Minding
from tests.waiting import until

SETTINGS = servers_pb2.ServerSettings(retention_days=7)


class _Access:
    """Auth as a test wants it."""

    def __init__(self) -> None:
        self.fresh = True
        self.away = False
        self.known: set[str] = set()  # to the copy
        self.young: set[str] = set()  # to auth only
        self.questions: list[int] = []  # how many keys each named
        self.listeners: dict[str, Callable[[], None]] = {}

    async def agent_keys(self, *, key_ids: Sequence[str]) -> Mapping[str, AgentKey]:
        self.questions.append(len(key_ids))
        if self.away:
            raise unavailable("Access can't be checked now.")
        return {one: _key(one) for one in key_ids if one in self.known}

    async def settings_of(self, *, server_ids: Sequence[str]) -> Mapping[str, servers_pb2.ServerSettings]:
        return {one: SETTINGS for one in server_ids if one in self.known}

    async def agent_key(self, *, key_id: str) -> AgentKey | None:
        return _key(key_id) if key_id in self.known | self.young else None

    async def settings(self, *, server_id: str) -> servers_pb2.ServerSettings | None:
        return SETTINGS if server_id in self.known | self.young else None

    @contextmanager
    def listen(self, tell: Callable[[], None], *, server_id: str) -> Iterator[None]:
        self.listeners[server_id] = tell
        yield
        del self.listeners[server_id]


class _Stream:
    """A stream whose server and key have the same name."""

    def __init__(self, name: str) -> None:
        self.server_id = self.key_id = name
        self.told = 0
        self.revoked = False

    def change_settings(self, settings: servers_pb2.ServerSettings) -> None:
        assert settings == SETTINGS
        self.told += 1

    def revoke(self) -> None:
        self.revoked = True


def _key(name: str) -> AgentKey:
    return AgentKey(key_id=name, server_id=name, organization_id="o", secret_sha256=b"")


def _minding(access: _Access) -> Minding:
    return Minding(access=access, look_every_s=0.01, ask_every_s=0.05, clock=SystemClock())


async def test_every_stream_is_looked_at_once_and_again_when_something_changes() -> None:
    access, stream = _Access(), _Stream("a")
    access.known.add("a")
    minding = _minding(access)
    async with minding.running():
        with minding.minded(stream):
            await until(lambda: stream.told == 1)
            access.known.clear()
            access.listeners["a"]()
            await until(lambda: stream.revoked)

    assert access.listeners == {}


async def test_a_server_that_is_younger_than_the_copy_is_asked_for_before_its_stream_ends() -> None:
    access, stream = _Access(), _Stream("a")
    access.young.add("a")
    minding = _minding(access)
    async with minding.running():
        with minding.minded(stream):
            await until(lambda: stream.told == 1)

    assert not stream.revoked


async def test_while_changes_are_not_heard_of_all_streams_are_asked_for_in_few_questions() -> None:
    access = _Access()
    streams = [_Stream(str(number)) for number in range(MAX_ASKED + 1)]
    access.known = {stream.server_id for stream in streams}
    access.fresh = False
    minding = _minding(access)
    async with minding.running():
        contexts = [minding.minded(stream) for stream in streams]
        for context in contexts:
            context.__enter__()
        await until(lambda: all(stream.told for stream in streams))
        access.known.discard("3")
        await until(lambda: streams[3].revoked)
        for context in contexts:
            context.__exit__(None, None, None)

    assert access.questions[:2] == [MAX_ASKED, 1]


async def test_an_auth_that_is_away_ends_no_stream_and_is_asked_again() -> None:
    access, stream = _Access(), _Stream("a")
    access.away = True
    minding = _minding(access)
    async with minding.running():
        with minding.minded(stream):
            await until(lambda: len(access.questions) >= 2)
            revoked = stream.revoked
            access.away, access.known = False, {"a"}
            await until(lambda: stream.told == 1)

    assert not revoked


async def test_a_stream_that_has_ended_is_told_nothing() -> None:
    access, stream = _Access(), _Stream("a")
    minding = _minding(access)
    async with minding.running():
        with minding.minded(stream):
            pass
        with minding.minded(_Stream("b")):
            await until(lambda: access.questions)
            await asyncio.sleep(0)

    assert (stream.told, stream.revoked) == (0, False)
