"""What `flick top` draws: one server in full, or a line for each of several. Pure: readings in, renderables out."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flick.cli.invocation import printable
from flick.cli.servers import age
from flick.cli.top.reading import Reading, in_bytes, per_second, percent

STALE_AFTER_S = 15.0
_BAR_WIDTH = 24
_CORES_PER_LINE = 8
_SHOWN = 5  # interfaces and file systems; a machine with containers has hundreds
_NETWORK, _DIRECTION = "system.network.total.io", "network.io.direction"


def draw(readings: Sequence[Reading], *, status: str, now_s: float, height: int) -> RenderableType:
    """The screen. `status` says how the connection is; `height` is the terminal's in lines."""
    if len(readings) == 1:
        return _one(readings[0], status=status, now_s=now_s, height=height)
    return _several(readings, status=status, now_s=now_s)


def _one(reading: Reading, *, status: str, now_s: float, height: int) -> RenderableType:
    above: list[RenderableType] = [_title(reading, status, now_s), Text()]
    if reading.time_s is None:
        return Group(*above, Text("Nothing was measured yet."))
    above += [*_processor(reading), *_memory(reading), Text(), *_network(reading), *_file_systems(reading), Text()]
    lines = sum(_height(one) for one in above)
    return Group(*above, _processes(reading.processes, rows=max(0, height - lines - 2)))


def _title(reading: Reading, status: str, now_s: float) -> Text:
    uptime_s = reading.value("system.uptime")
    host = reading.server.get("host") or {}
    parts = [host.get("osDescription", ""), f"up {age(uptime_s)}" if uptime_s is not None else ""]
    line = Text(printable(reading.name), style="bold")
    line.append("".join(f"  {printable(part)}" for part in parts if part), style="dim")
    line.append(f"  {status}, ", style="")
    return line.append_text(_age(reading, now_s))


def _age(reading: Reading, now_s: float) -> Text:
    if reading.time_s is None:
        return Text("no data yet", style="yellow")
    old_s = max(0.0, now_s - reading.time_s)
    words = f"data {old_s:.1f} s old" if old_s < 10 else f"data {age(old_s)} old"
    return Text(words, style="red" if old_s > STALE_AFTER_S else "green")


def _bar(share: float | None, *, width: int = _BAR_WIDTH) -> Text:
    if share is None:
        return Text("-" * width, style="dim")
    filled = round(min(1.0, max(0.0, share)) * width)
    style = "red" if share >= 0.9 else "yellow" if share >= 0.7 else "green"
    return Text("█" * filled, style=style).append("░" * (width - filled), style="dim")


def _gauge(label: str, share: float | None, details: str) -> Text:
    return Text(f"{label:<8}").append_text(_bar(share)).append(f" {percent(share):>8}  {details}")


def _processor(reading: Reading) -> list[RenderableType]:
    modes = ("user", "system", "iowait", "steal")
    shares = {mode: reading.value("system.cpu.mode.utilization", {"cpu.mode": mode}) for mode in modes}
    details = "  ".join(f"{mode} {percent(share)}" for mode, share in shares.items())
    loads = [reading.value(f"system.cpu.load_average.{span}") for span in ("1m", "5m", "15m")]
    words = " ".join("-" if load is None else f"{load:.2f}" for load in loads)
    count = reading.value("system.process.count")
    cores = sorted(reading.series("system.cpu.core.utilization"), key=lambda one: _number(one[0]))
    lines = [
        Text(f"{'':<8}").append_text(
            Text("  ").join(
                Text(f"{_number(labels):>3} ").append_text(_bar(share, width=6))
                for labels, share in cores[start : start + _CORES_PER_LINE]
            )
        )
        for start in range(0, len(cores), _CORES_PER_LINE)
    ]
    tail = "" if count is None else f"   {count:.0f} processes"
    return [_gauge("CPU", reading.value("system.cpu.utilization"), details), *lines, Text(f"Load    {words}{tail}")]


def _number(labels: Mapping[str, str]) -> int:
    text = labels.get("cpu.logical_number", "")
    return int(text) if text.isdecimal() else -1


def _memory(reading: Reading) -> list[RenderableType]:
    limit, available = reading.value("system.memory.limit"), reading.value("system.linux.memory.available")
    used = None if limit is None or available is None else limit - available
    swap = reading.value("system.paging.usage", {"system.paging.state": "used"})
    return [
        _gauge("Memory", reading.value("system.memory.utilization"), f"{in_bytes(used)} of {in_bytes(limit)}"),
        _gauge(
            "Swap",
            reading.value("system.paging.utilization"),
            f"{in_bytes(swap)} of {in_bytes(reading.value('system.paging.limit'))}",
        ),
    ]


def _traffic(reading: Reading, name: str, labels: Mapping[str, str]) -> str:
    received = reading.value(name, {**labels, _DIRECTION: "receive"})
    sent = reading.value(name, {**labels, _DIRECTION: "transmit"})
    return f"in {per_second(received):>11}  out {per_second(sent):>11}"


def _network(reading: Reading) -> list[RenderableType]:
    key = "network.interface.name"
    bytes_s: dict[str, float] = {}
    for labels, value in reading.series("system.network.io"):
        bytes_s[labels.get(key, "")] = bytes_s.get(labels.get(key, ""), 0.0) + value
    busiest = sorted(bytes_s, key=lambda interface: (-bytes_s[interface], interface))[:_SHOWN]
    lines: list[RenderableType] = [Text(f"Network {_traffic(reading, _NETWORK, {})}")]
    for interface in busiest if len(bytes_s) > 1 else []:
        name = printable(interface)[:16]
        lines.append(Text(f"  {name:<16} {_traffic(reading, 'system.network.io', {key: interface})}", style="dim"))
    return lines


def _file_systems(reading: Reading) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for labels, share in sorted(reading.series("system.filesystem.utilization"), key=lambda one: -one[1])[:_SHOWN]:
        place = {"system.filesystem.mountpoint": labels.get("system.filesystem.mountpoint", "")}
        free = reading.value("system.filesystem.usage", {**place, "system.filesystem.state": "free"})
        name = printable(place["system.filesystem.mountpoint"])
        lines.append(_gauge("Disk" if not lines else "", share, f"{in_bytes(free)} free on {name}"))
    return lines


def _processes(processes: Sequence[Mapping[str, Any]], *, rows: int) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for heading, justify, ratio in (
        ("PID", "right", None),
        ("USER", "left", None),
        ("CPU", "right", None),
        ("MEMORY", "right", None),
        ("READ", "right", None),
        ("WRITE", "right", None),
        ("STATE", "left", None),
        ("COMMAND", "left", 1),
    ):
        table.add_column(heading, justify=justify, ratio=ratio, no_wrap=True)  # type: ignore[arg-type]
    for one in processes[:rows]:
        table.add_row(
            str(one["pid"]),
            Text(printable(one["user"])[:12]),
            percent(one["cpuUtilization"]),
            in_bytes(float(one["memoryRss"])),
            *(_per_second(one.get(name)) for name in ("diskRead", "diskWrite")),
            Text(printable(one["state"])),
            Text(printable(one["command"] or one["name"])),
        )
    return table


def _per_second(bytes_per_s: str | None) -> str:
    return "-" if bytes_per_s is None else f"{in_bytes(float(bytes_per_s))}/s"


def _several(readings: Sequence[Reading], *, status: str, now_s: float) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("SERVER", "CPU", "", "MEMORY", "", "LOAD", "NETWORK", "DATA"):
        table.add_column(heading, no_wrap=True)
    for reading in readings:
        cpu, memory = reading.value("system.cpu.utilization"), reading.value("system.memory.utilization")
        load = reading.value("system.cpu.load_average.1m")
        table.add_row(
            Text(printable(reading.name)),
            _bar(cpu, width=10),
            percent(cpu),
            _bar(memory, width=10),
            percent(memory),
            "-" if load is None else f"{load:.2f}",
            _traffic(reading, _NETWORK, {}),
            _age(reading, now_s),
        )
    return Group(Text(f"{len(readings)} servers, {status}", style="bold"), Text(), table)


def _height(renderable: RenderableType) -> int:
    return renderable.plain.count("\n") + 1 if isinstance(renderable, Text) else 1
