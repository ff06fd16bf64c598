"""A measurement as a table for a terminal."""

from collections.abc import Iterator

from agent.check.connection import Connection
from agent.check.measurement import Measurement, ProcessLine, Value

_BYTE_STEPS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024
_HZ_PER_MHZ = 1_000_000
_MS_PER_S = 1000
_NAME_WIDTH = 78


def lines(measurement: Measurement, connection: Connection) -> Iterator[str]:
    """The table's lines."""
    yield from (_metric_line(value) for value in measurement.metrics)
    yield ""
    yield f"{'PID':>8} {'USER':<12} {'CPU':>7} {'MEMORY':>10} {'THREADS':>7} {'STATE':<10} NAME"
    yield from (_process_line(process) for process in measurement.processes)
    yield ""
    yield from (f"Can't measure {failing.collector}: {failing.reason}" for failing in measurement.failing)
    yield _connection_line(connection)


def _metric_line(value: Value) -> str:
    labels = ",".join(f"{key.rpartition('.')[2]}={label}" for key, label in value.labels.items())
    name = f"{value.name}{{{labels}}}" if labels else value.name
    return f"{name:<{_NAME_WIDTH}} {readable(value.value, value.unit):>14}"


def _process_line(process: ProcessLine) -> str:
    cpu, memory = f"{process.cpu_utilization:.1%}", readable(process.memory_rss, "By")
    return (
        f"{process.pid:>8} {process.user:<12.12} {cpu:>7} {memory:>10} {process.thread_count:>7} "
        f"{process.state:<10} {process.name}"
    )


def _connection_line(connection: Connection) -> str:
    if not connection.joined:
        missing = f"{connection.identity_file} does not exist"
        return f"This server has not joined: {missing}. Run `flick-agent enroll URL TOKEN`."
    if connection.problem:
        return f"Can't stream: {connection.problem}"
    return f"Can stream to {connection.ingest_address} as server {connection.server_id}."


def readable(value: float | None, unit: str) -> str:
    """A value with its unit as people write it; UCUM's `1` is a share and becomes per cent."""
    if value is None:
        return "not measured"
    if unit == "1":
        return f"{value:.1%}"
    if unit in ("By", "By/s"):
        return _bytes(value) + unit.removeprefix("By")
    if unit == "Hz":
        return f"{value / _HZ_PER_MHZ:.0f} MHz"
    if unit == "s" and 0 < value < 1:
        return f"{value * _MS_PER_S:.2f} ms"
    plain = f"{value:.0f}" if value == round(value) else f"{value:.2f}"
    return f"{plain} s" if unit == "s" else plain + ("/s" if unit.endswith("/s") else "")


def _bytes(value: float) -> str:
    for step in _BYTE_STEPS:
        if abs(value) < _STEP or step == _BYTE_STEPS[-1]:
            break
        value /= _STEP
    return f"{value:.0f} {step}" if step == "B" else f"{value:.1f} {step}"
