"""New layouts of all streams go into the database many at once."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence

import pytest

from flick.errors import FlickError, Kind, unavailable
from services.ingest.intake.new_layouts import AT_ONCE, BYTES_AT_ONCE, LayoutKey, NewLayout, NewLayouts

ORGANIZATION = uuid.UUID(int=7)


class _Table:
    """Stores when it is let to, and notes what came in each statement. A digest of zeros finds no room."""

    def __init__(self) -> None:
        self.statements: list[list[NewLayout]] = []
        self.error: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def store(self, layouts: Sequence[NewLayout]) -> Mapping[LayoutKey, int]:
        self.statements.append(list(layouts))
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return {one.key: one.server_id.int for one in layouts if one.digest != bytes(32)}


async def _store(layouts: NewLayouts, number: int, *, digest: bytes = b"d", series: bytes = b"s") -> int | None:
    return await layouts.store(uuid.UUID(int=number), ORGANIZATION, digest, series)


async def test_what_comes_while_a_statement_is_under_way_goes_into_the_next_one() -> None:
    table = _Table()
    async with NewLayouts(store=table.store).running() as layouts:
        table.open.clear()
        first = asyncio.create_task(_store(layouts, 1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        others = [asyncio.create_task(_store(layouts, number)) for number in range(2, 52)]
        await asyncio.sleep(0)
        table.open.set()
        found = await asyncio.gather(first, *others)

    assert found == list(range(1, 52))
    assert [len(some) for some in table.statements] == [1, 50]


async def test_no_statement_takes_too_many_or_too_much() -> None:
    table = _Table()
    large = bytes(BYTES_AT_ONCE // 3)
    async with NewLayouts(store=table.store).running() as layouts:
        await asyncio.gather(*(_store(layouts, number) for number in range(AT_ONCE + 1)))
        await asyncio.gather(*(_store(layouts, number, series=large) for number in range(4)))

    assert [len(some) for some in table.statements] == [AT_ONCE, 1, 3, 1]


async def test_a_layout_larger_than_a_statement_is_to_be_goes_alone() -> None:
    table = _Table()
    async with NewLayouts(store=table.store).running() as layouts:
        found = await asyncio.gather(*(_store(layouts, number, series=bytes(BYTES_AT_ONCE + 1)) for number in (1, 2)))

    assert found == [1, 2]
    assert [len(some) for some in table.statements] == [1, 1]


async def test_of_one_server_a_statement_takes_one_layout_since_it_takes_room_from_the_next() -> None:
    table = _Table()
    async with NewLayouts(store=table.store).running() as layouts:
        await asyncio.gather(*(_store(layouts, 1, digest=digest) for digest in (b"a", b"b")), _store(layouts, 2))

    assert [[(one.server_id.int, one.digest) for one in some] for some in table.statements] == [
        [(1, b"a"), (2, b"d")],
        [(1, b"b")],
    ]


async def test_the_same_layout_of_two_streams_is_stored_once() -> None:
    table = _Table()
    async with NewLayouts(store=table.store).running() as layouts:
        found = await asyncio.gather(_store(layouts, 1), _store(layouts, 1))

    assert (list(found), [len(some) for some in table.statements]) == ([1, 1], [1])


async def test_who_finds_no_room_is_told_and_the_others_are_stored() -> None:
    async with NewLayouts(store=_Table().store).running() as layouts:
        found = await asyncio.gather(_store(layouts, 1, digest=bytes(32)), _store(layouts, 2))

    assert list(found) == [None, 2]


@pytest.mark.parametrize("error", [unavailable("away"), OSError("cut")], ids=["away", "cut"])
async def test_a_database_that_fails_is_told_to_all_and_the_next_ones_are_stored(error: Exception) -> None:
    table = _Table()
    async with NewLayouts(store=table.store).running() as layouts:
        table.error = error
        failed = await asyncio.gather(_store(layouts, 1), _store(layouts, 2), return_exceptions=True)
        table.error = None
        found = await _store(layouts, 1)

    assert [one.kind for one in failed if isinstance(one, FlickError)] == [Kind.UNAVAILABLE] * 2
    assert found == 1


async def test_a_stream_that_ends_meanwhile_leaves_the_other_its_layout() -> None:
    table = _Table()
    async with NewLayouts(store=table.store).running() as layouts:
        table.open.clear()
        ending, staying = (asyncio.create_task(_store(layouts, 1)) for _ in range(2))
        await asyncio.sleep(0)
        ending.cancel()
        await asyncio.wait({ending})
        table.open.set()
        found = await staying

    assert (ending.cancelled(), found) == (True, 1)
