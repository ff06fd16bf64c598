"""What is known of a server at the moment, and how quantities read. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from flick.cli.servers import parse_time


class Reading:
    """The newest values of one server."""

    def __init__(self, *, server: Mapping[str, Any]) -> None:
        self.server = server
        self.time_s: float | None = None
        """When they were measured, seconds since the Unix epoch; None: nothing came yet."""
        self.processes: list[dict[str, Any]] = []
        self._values: dict[str, list[tuple[Mapping[str, str], float]]] = {}

    @property
    def name(self) -> str:
        """What people call the server."""
        return str(self.server.get("displayName", ""))

    def take(self, update: Mapping[str, Any]) -> None:
        """Replace what is known by a WatchMetricsResponse."""
        self.time_s = parse_time(update.get("time"))
        self._values = {}
        for one in update.get("values", []):
            value = one["value"]
            if isinstance(value, int | float):  # NaN and the infinities read as text
                self._values.setdefault(one["name"], []).append((one.get("labels") or {}, float(value)))

    def value(self, name: str, labels: Mapping[str, str] | None = None) -> float | None:
        """The value of a metric whose labels include `labels`, or None."""
        wanted = (labels or {}).items()
        return next((value for found, value in self.series(name) if wanted <= found.items()), None)

    def series(self, name: str) -> Iterator[tuple[Mapping[str, str], float]]:
        """Every labelled value of a metric."""
        yield from self._values.get(name, [])


def in_bytes(value: float | None) -> str:
    """`1.5 GiB`; `-` for what is not known."""
    if value is None:
        return "-"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(value) < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def per_second(value: float | None) -> str:
    """`1.5 MiB/s`; `-` for what is not known."""
    return "-" if value is None else f"{in_bytes(value)}/s"


def percent(share: float | None) -> str:
    """`12.3 %`; `-` for what is not known."""
    return "-" if share is None else f"{share * 100:.1f} %"
