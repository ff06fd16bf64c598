"""Where a spool's samples and its state are put: in memory, or in a file."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from agent.spool.frame import Lane
from agent.spool.lanes.state import State
from flick.v1 import telemetry_pb2


@dataclass(frozen=True, slots=True)
class Row:
    """A sample with its number.

    Args:
        id: numbers grow with time.
        time_ns: as it was told by the clock of then.
        layout_id, payload: as in `Entry`.
        sound: whether it is what was put down.
    """

    id: int
    time_ns: int
    layout_id: int
    payload: bytes
    sound: bool = True


@dataclass(frozen=True, slots=True)
class Head:
    """A row without its content."""

    id: int
    time_ns: int
    size: int


class Shelf(Protocol):
    """Rows in the order of their numbers."""

    def writing(self) -> AbstractContextManager[None]:
        """Everything written while entered is there as one, or not at all."""
        ...

    def add(self, row: Row) -> None:
        """Put a row after all others."""
        ...

    def rows(self, first_id: int, last_id: int, *, newest_first: bool = False) -> Iterator[Row]:
        """The rows from one number to another, both included. To be read to its end, or closed."""
        ...

    def heads(self, first_id: int) -> Iterator[Head]:
        """The rows from a number on, without their content. To be read to its end."""
        ...

    def tally(self, first_id: int, last_id: int) -> tuple[int, int]:
        """How many rows there are from one number to another, both included, and the bytes of their payloads."""
        ...

    def head(self, first_id: int, last_id: int) -> Head | None:
        """The first of these rows, without asking whether it is sound."""
        ...

    def remove(self, first_id: int, last_id: int) -> None:
        """Forget these rows."""
        ...

    def set_aside(self, first_id: int, last_id: int, *, lane: Lane, seq: int) -> None:
        """Keep a copy of these rows for whoever looks into why ingest refused them; old copies go."""
        ...

    def layouts(self) -> list[telemetry_pb2.Layout]:
        """The layouts that were put down."""
        ...

    def add_layout(self, layout: telemetry_pb2.Layout) -> None:
        """Put a layout down, once."""
        ...

    def forget_layouts(self, kept: set[int]) -> None:
        """Forget all layouts but these."""
        ...

    def layouts_in_use(self) -> set[int]:
        """The numbers of the layouts that rows use."""
        ...

    def save(self, state: State) -> None:
        """Put the state down."""
        ...

    def close(self) -> None:
        """Everything is put down."""
        ...
