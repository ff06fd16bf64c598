"""Rows in binary COPY, read back: what PostgreSQL would make of them."""

import struct
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

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
    """The columns of `telemetry.metrics`."""
    time, server, organization, received, *core, layout, labelled = fields(row)
    return (
        *(_moment(time), _uuid(server), _uuid(organization), _moment(received)),
        *(None if one is None else struct.unpack(">d", one)[0] for one in core),
        None if layout is None else struct.unpack(">i", layout)[0],
        None if labelled is None else _reals(labelled),
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


def _reals(value: bytes) -> list[float | None]:
    dimensions, has_null, element_type = struct.unpack_from(">3i", value)
    if not dimensions:
        return []
    count, lowest = struct.unpack_from(">2i", value, 12)
    elements = fields(value[20:])
    assert (dimensions, element_type, lowest, len(elements)) == (1, 700, 1, count)
    assert has_null == int(None in elements)
    return [None if one is None else struct.unpack(">f", one)[0] for one in elements]
