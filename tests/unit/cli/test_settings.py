"""Settings as options give them."""

from typing import Any

import pytest

from flick.cli.failure import CliError, ExitCode
from flick.cli.settings import FIELDS, Setting, changed_settings
from flick.v1 import servers_pb2

NOTHING: dict[str, Any] = dict.fromkeys(("interval", "retention_days", "processes", "commands", "unset"))


def test_what_is_not_given_does_not_change() -> None:
    assert changed_settings(**NOTHING) == {}


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({"interval": "5s"}, {"metricInterval": "5s"}),
        ({"interval": "2m"}, {"metricInterval": "120s"}),
        ({"retention_days": 7}, {"retentionDays": 7}),
        ({"processes": False}, {"processesEnabled": False}),
        ({"commands": True, "processes": True}, {"processesEnabled": True, "processCommandsEnabled": True}),
        ({"unset": [Setting.PROCESSES]}, {"processesEnabled": None}),
        (
            {"unset": [Setting.COMMANDS, Setting.COMMANDS], "retention_days": 1},
            {"retentionDays": 1, "processCommandsEnabled": None},
        ),
    ],
    ids=["seconds", "minutes", "days", "no", "two", "unset", "set and unset"],
)
def test_what_is_given_is_set_and_what_is_unset_is_null(given: dict[str, Any], body: dict[str, Any]) -> None:
    assert changed_settings(**{**NOTHING, **given}) == body


@pytest.mark.parametrize("interval", ["", "5", "5 s", "-5s", "1h", "1.5s", "s"])
def test_an_interval_that_is_none_is_wrong_usage(interval: str) -> None:
    with pytest.raises(CliError, match="as 5s or 1m") as refused:
        changed_settings(**{**NOTHING, "interval": interval})

    assert refused.value.code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("setting", "given"),
    [
        (Setting.METRIC_INTERVAL, {"interval": "5s"}),
        (Setting.RETENTION_DAYS, {"retention_days": 7}),
        (Setting.PROCESSES, {"processes": False}),
        (Setting.COMMANDS, {"commands": False}),
    ],
    ids=[one.value for one in Setting],
)
def test_nothing_is_set_and_unset_at_once(setting: Setting, given: dict[str, Any]) -> None:
    with pytest.raises(CliError, match=setting.value):
        changed_settings(**{**NOTHING, **given, "unset": [setting]})


def test_every_setting_of_the_contract_can_be_set() -> None:
    fields = {field.json_name for field in servers_pb2.ServerSettings.DESCRIPTOR.fields} - {"levels"}

    assert set(FIELDS.values()) == fields
