"""Settings at the command line: those of a server, a group or an organization are given and shown alike."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from flick.cli.failure import CliError, ExitCode
from flick.cli.invocation import show_table


class Setting(StrEnum):
    """What can be set, by the names of the options."""

    METRIC_INTERVAL = "metric-interval"
    RETENTION_DAYS = "retention-days"
    PROCESSES = "processes"
    COMMANDS = "commands"


Interval = Annotated[
    str | None, typer.Option("--metric-interval", help="Time between stored samples, 1s to 5m, as 5s or 1m.")
]
Retention = Annotated[int | None, typer.Option("--retention-days", help="How many days raw samples are kept.")]
Processes = Annotated[bool | None, typer.Option("--processes/--no-processes", help="Whether processes are listed.")]
Commands = Annotated[
    bool | None, typer.Option("--commands/--no-commands", help="Whether that is with their command lines.")
]
Unset = Annotated[list[Setting] | None, typer.Option(help="Inherit a setting again. May be repeated.")]

FIELDS: Mapping[Setting, str] = {
    Setting.METRIC_INTERVAL: "metricInterval",
    Setting.RETENTION_DAYS: "retentionDays",
    Setting.PROCESSES: "processesEnabled",
    Setting.COMMANDS: "processCommandsEnabled",
}
"""Of flick.v1.ServerSettings, as JSON has them."""

_LEVELS = {
    "SETTINGS_LEVEL_DEFAULT": "default",
    "SETTINGS_LEVEL_ORGANIZATION": "organization",
    "SETTINGS_LEVEL_SERVER_GROUP": "group",
    "SETTINGS_LEVEL_SERVER": "server",
}
_INTERVAL = re.compile(r"(\d{1,5})(s|m)")
_UNIT_S = {"s": 1, "m": 60}


def changed_settings(
    *,
    interval: str | None,
    retention_days: int | None,
    processes: bool | None,
    commands: bool | None,
    unset: list[Setting] | None,
) -> dict[str, Any]:
    """What is to be set, by field; None: inherited again. Raises CliError when that is no sense."""
    given: dict[Setting, Any] = {
        Setting.METRIC_INTERVAL: None if interval is None else f"{_seconds(interval)}s",
        Setting.RETENTION_DAYS: retention_days,
        Setting.PROCESSES: processes,
        Setting.COMMANDS: commands,
    }
    for setting in unset or []:
        if given[setting] is not None:
            raise CliError(f"{setting} is set and unset at once; give one of them.", code=ExitCode.USAGE)
    return {FIELDS[setting]: value for setting, value in given.items() if value is not None or setting in (unset or [])}


def show_settings(settings: Mapping[str, Any]) -> None:
    """Print what is in effect, and for whom each value is set."""
    levels = settings.get("levels", {})
    rows = [
        [setting.value, _words(setting, settings.get(field)), _LEVELS.get(levels.get(_snake(field), ""), "unknown")]
        for setting, field in FIELDS.items()
    ]
    show_table(["SETTING", "VALUE", "SET FOR"], rows)


def _seconds(text: str) -> int:
    match = _INTERVAL.fullmatch(text.strip())
    if match is None:
        raise CliError(f"--metric-interval is {text!r}; give 1s to 5m, as 5s or 1m.", code=ExitCode.USAGE)
    return int(match[1]) * _UNIT_S[match[2]]


def _words(setting: Setting, value: Any) -> str:
    match setting:
        case Setting.METRIC_INTERVAL:
            return str(value)
        case Setting.RETENTION_DAYS:
            return f"{value} days"
    return "yes" if value else "no"


def _snake(field: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", field)
