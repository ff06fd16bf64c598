"""What a caller is told whose question the database could not answer in time."""

from collections.abc import Iterator
from contextlib import contextmanager

from flick.errors import FlickError, Kind


@contextmanager
def advice_on_timeout(advice: str) -> Iterator[None]:
    """Raise DEADLINE_EXCEEDED with `advice`, which says what would do, in place of the database's own."""
    try:
        yield
    except FlickError as error:
        if error.kind is not Kind.DEADLINE_EXCEEDED:
            raise
        raise FlickError(Kind.DEADLINE_EXCEEDED, advice, private=error.private) from error
