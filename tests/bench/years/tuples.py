"""Rows as PostgreSQL's binary COPY takes them, made of arrays: millions of rows cost no Python for each."""

from collections.abc import AsyncIterator, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from flick.db.pool import Connection

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_EPOCH_US = 946_684_800_000_000  # the year 2000, from which PostgreSQL counts
_FORMS = {"uuid": "V16", "timestamptz": ">i8", "float8": ">f8", "integer": ">i4"}
_SIDE_BY_SIDE = {"d": ">f8", "f": ">f4"}

Column = tuple[str, str, npt.NDArray[np.generic]]
"""Its name, its type, and a value for each row. Of `d` and `f`, numbers side by side in a bytea, each has several."""


def moments(times_us: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Microseconds since the Unix epoch as PostgreSQL counts them."""
    return times_us - _EPOCH_US


def uuids(ids: Sequence[bytes]) -> npt.NDArray[np.void]:
    """UUIDs as 16 bytes each."""
    return np.frombuffer(b"".join(ids), "V16")


def encode(columns: Sequence[Column]) -> bytes:
    """The rows, without what stands before and behind them."""
    rows = len(columns[0][2])
    fields: list[tuple[str, object]] = [("fields", ">i2")]
    for name, kind, values in columns:
        form = _FORMS.get(kind) or np.dtype((_SIDE_BY_SIDE[kind], (values.shape[1],)))
        fields += [(f"{name} bytes", ">i4"), (name, form)]
    out = np.zeros(rows, np.dtype(fields))
    out["fields"] = len(columns)
    for name, _, values in columns:
        out[f"{name} bytes"] = out.dtype[name].itemsize
        out[name] = values
    return out.tobytes()


async def copy(
    connection: Connection, table: str, names: Sequence[str], parts: Iterable[bytes], *, schema: str
) -> None:
    """Write rows that are encoded."""

    async def source() -> AsyncIterator[bytes]:
        yield _SIGNATURE
        for one in parts:
            yield one
        yield _END

    await connection.copy_to_table(
        table, schema_name=schema, columns=list(names), source=source(), format="binary", timeout=None
    )
