"""Rows in binary COPY, read back: what PostgreSQL would make of them."""

import struct
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from services.ingest.intake.samples import CORE_COUNT
from tests.packed import read_core, read_labelled

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


def fields(row: bytes) -> list[bytes | None]:
    """The columns of a row as they come; None: null."""
    found: list[bytes | None] = []
    at = 0
    while at < len(row):
        (length,) = struct.unpack_from(">i", row, at)
        at += 4
        found.append(None if length < 0 else row[at : at + length])
        at += max(0, length)
    assert at == len(row), "a column is longer than its row"
    return found


def metrics(row: bytes) -> tuple[Any, ...]:
    """A row of `telemetry.metrics`: whose it is and when it came, every scalar metric, layout, labelled values."""
    time, server, organization, received, layout, core, labelled = fields(row)
    assert core is not None
    return (
        *(_moment(time), _uuid(server), _uuid(organization), _moment(received)),
        *read_core(core, count=CORE_COUNT),
        None if layout is None else struct.unpack(">i", layout)[0],
        read_labelled(labelled),
    )


def processes(row: bytes) -> bytes:
    """The snapshot of a row of `telemetry.processes`; empty when there is no row."""
    if not row:
        return b""
    _time, _server, _organization, snapshot = fields(row)
    assert snapshot is not None
    return snapshot


def _moment(value: bytes | None) -> datetime:
    assert value is not None
    return _BEGINNING + timedelta(microseconds=struct.unpack(">q", value)[0])


def _uuid(value: bytes | None) -> uuid.UUID:
    return uuid.UUID(bytes=value)
