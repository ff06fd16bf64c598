"""What `flick top` draws."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from flick.cli.top.reading import Reading, in_bytes, per_second, percent
from flick.cli.top.view import draw

SERVER = {"serverId": "s1", "displayName": "web-1", "host": {"osDescription": "Debian 13"}}
NOW_S = 1_000_000.0


def value(name: str, amount: float | str, **labels: str) -> dict[str, Any]:
    return {"name": name, "value": amount, "labels": {key.replace("__", "."): text for key, text in labels.items()}}


VALUES = [
    value("system.cpu.utilization", 0.954),
    value("system.cpu.mode.utilization", 0.5, cpu__mode="user"),
    *(value("system.cpu.core.utilization", 0.1, cpu__logical_number=str(core)) for core in (10, 2, 0)),
    value("system.cpu.load_average.1m", 1.25),
    value("system.memory.limit", 8 * 2**30),
    value("system.linux.memory.available", 6 * 2**30),
    value("system.memory.utilization", 0.25),
    value("system.network.total.io", 1536.0, network__io__direction="receive"),
    value("system.network.io", 1.0, network__interface__name="eth0", network__io__direction="receive"),
    value("system.network.io", 2.0, network__interface__name="wlan0", network__io__direction="receive"),
    value("system.filesystem.utilization", 0.75, system__filesystem__mountpoint="/srv"),
    value("system.uptime", 7200),
    value("system.process.count", "NaN"),
]
PROCESS = {
    "pid": 7,
    "name": "sh",
    "user": "root",
    "state": "running",
    "command": "sh -c \x1b[2J [bold]evil[/bold]",
    "cpuUtilization": 0.5,
    "memoryRss": "1048576",
    "diskWrite": "2048",
}


@pytest.fixture
def reading() -> Reading:
    made = Reading(server=SERVER)
    made.take({"time": "1970-01-12T13:46:37Z", "values": VALUES})
    made.processes = [PROCESS]
    return made


def shown(*readings: Reading, now_s: float = NOW_S, height: int = 40) -> str:
    stream = StringIO()
    console = Console(file=stream, width=140, height=height, force_terminal=True, color_system=None)
    console.print(draw(readings, status="live", now_s=now_s, height=height))
    return stream.getvalue()


def test_one_server_is_drawn_with_everything_that_is_known(reading: Reading) -> None:
    text = shown(reading)

    for words in ("web-1", "Debian 13", "up 2 h", "live, data 3.0 s old", "95.4 %", "user 50.0 %", "1.25 - -"):
        assert words in text
    for words in (
        "2.0 GiB of 8.0 GiB",
        "in   1.5 KiB/s",
        "eth0",
        "wlan0",
        "75.0 %",
        "on /srv",
        "50.0 %",
        "1.0 MiB",
        "2.0 KiB/s",
    ):
        assert words in text


def test_cores_stand_in_the_order_of_their_numbers(reading: Reading) -> None:
    line = next(line for line in shown(reading).splitlines() if " 10 " in line)

    assert [word for word in line.split() if word.isdecimal()] == ["0", "2", "10"]


def test_what_a_watched_machine_calls_things_can_not_steer_the_terminal(reading: Reading) -> None:
    text = shown(reading)

    assert "\x1b[2J" not in text
    assert "[bold]evil[/bold]" in text


def test_what_is_not_known_is_a_dash_and_no_number(reading: Reading) -> None:
    reading.take({"time": "1970-01-12T13:46:37Z", "values": []})

    assert "- of -" in shown(reading)


def test_a_server_that_never_sent_is_said_to_have_no_data() -> None:
    assert "no data yet" in shown(Reading(server=SERVER))


def test_the_picture_fits_the_terminal(reading: Reading) -> None:
    reading.processes = [PROCESS] * 100

    assert len(shown(reading, height=24).splitlines()) <= 24


def test_several_servers_have_a_line_each(reading: Reading) -> None:
    other = Reading(server={"serverId": "s2", "displayName": "db-1"})
    text = shown(reading, other, now_s=NOW_S + 300)

    assert "2 servers, live" in text
    assert any("web-1" in line and "95.4 %" in line and "data 5 min old" in line for line in text.splitlines())
    assert any("db-1" in line and "no data yet" in line for line in text.splitlines())


def test_labelled_values_are_told_apart(reading: Reading) -> None:
    name, key = "system.network.io", "network.interface.name"

    assert reading.value(name, {key: "wlan0"}) == 2.0
    assert reading.value(name, {key: "lo"}) is None


@pytest.mark.parametrize(
    ("amount", "text"),
    [(None, "-"), (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (150 * 2**20, "150 MiB"), (2**50, "1024 TiB")],
)
def test_bytes_read_well(amount: float | None, text: str) -> None:
    assert in_bytes(amount) == text


def test_rates_and_shares_read_well() -> None:
    assert (per_second(2048.0), per_second(None), percent(0.5), percent(None)) == ("2.0 KiB/s", "-", "50.0 %", "-")
