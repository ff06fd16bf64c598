"""A question that takes too long ends with what would do instead, whoever is slow."""

import asyncio

import pytest

from flick.errors import FlickError, Kind, unavailable
from services.query.answers.advice import advice_on_timeout

ADVICE = "Ask for less."


async def test_what_takes_longer_than_the_limit_ends_with_the_advice() -> None:
    with pytest.raises(FlickError) as told:
        async with advice_on_timeout(ADVICE, limit_s=0.01):
            await asyncio.Event().wait()

    assert (told.value.kind, told.value.public) == (Kind.DEADLINE_EXCEEDED, ADVICE)


async def test_what_the_database_gave_up_ends_with_the_advice() -> None:
    with pytest.raises(FlickError) as told:
        async with advice_on_timeout(ADVICE):
            raise FlickError(Kind.DEADLINE_EXCEEDED, "The database took too long.", private="statement cancelled")

    assert (told.value.public, told.value.private) == (ADVICE, "statement cancelled")


async def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(FlickError, match="busy"):
        async with advice_on_timeout(ADVICE):
            raise unavailable("The database is busy.", private="")
