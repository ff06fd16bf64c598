"""Update masks, the ranges of settings, and which organization is meant."""

from collections.abc import Iterable
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from flick.errors import FlickError, Kind
from flick.v1 import options_pb2, servers_pb2
from services.auth.rules import roles, settings
from services.auth.rules.masks import changed_fields


def change(fields: Iterable[str], **values: Any) -> settings.SettingsChange:
    return settings.read_change(servers_pb2.ServerSettings(**values), FieldMask(paths=list(fields)))


def test_every_field_of_the_contract_has_a_default_and_can_be_changed() -> None:
    fields = set(servers_pb2.ServerSettings.DESCRIPTOR.fields_by_name) - {"levels"}

    assert set(settings.CHANGEABLE) == fields
    assert {field.name for field, _ in settings.DEFAULTS.ListFields()} == fields


def test_only_named_fields_change() -> None:
    assert change(["retention_days"], retention_days=7, processes_enabled=False) == {"retention_days": 7}


def test_what_is_named_and_unset_is_inherited_again() -> None:
    assert change(settings.CHANGEABLE) == dict.fromkeys(settings.CHANGEABLE)


def test_a_switch_that_is_off_is_not_inherited() -> None:
    assert change(["processes_enabled"], processes_enabled=False) == {"processes_enabled": False}


def test_every_named_field_changes() -> None:
    made = change(
        settings.CHANGEABLE, metric_interval=Duration(seconds=300), retention_days=3650, processes_enabled=True
    )

    assert made == {
        "metric_interval": 300,
        "retention_days": 3650,
        "processes_enabled": True,
        "process_commands_enabled": None,
    }


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"metric_interval": Duration()}, "metric_interval"),
        ({"metric_interval": Duration(seconds=301)}, "metric_interval"),
        ({"metric_interval": Duration(seconds=5, nanos=1)}, "metric_interval"),
        ({"metric_interval": Duration(seconds=-5)}, "metric_interval"),
        ({"retention_days": 0}, "retention_days"),
        ({"retention_days": -1}, "retention_days"),
        ({"retention_days": 3651}, "retention_days"),
    ],
)
def test_a_value_out_of_range_is_named(values: dict[str, Any], field: str) -> None:
    with pytest.raises(FlickError) as caught:
        change([field], **values)

    assert caught.value.violations[0].field == f"settings.{field}"


def test_without_any_setting_the_defaults_are_in_effect() -> None:
    found = settings.effective([])

    assert (found.metric_interval.seconds, found.retention_days) == (5, 30)
    assert (found.processes_enabled, found.process_commands_enabled) == (True, True)
    assert set(found.levels.values()) == {servers_pb2.SETTINGS_LEVEL_DEFAULT}


def test_the_innermost_level_that_sets_a_value_decides() -> None:
    found = settings.effective(
        [
            (
                servers_pb2.SETTINGS_LEVEL_ORGANIZATION,
                servers_pb2.ServerSettings(
                    retention_days=90, processes_enabled=False, metric_interval=Duration(seconds=60)
                ),
            ),
            (servers_pb2.SETTINGS_LEVEL_SERVER_GROUP, servers_pb2.ServerSettings(retention_days=60)),
            (servers_pb2.SETTINGS_LEVEL_SERVER, servers_pb2.ServerSettings(processes_enabled=True)),
        ]
    )

    assert (found.metric_interval.seconds, found.retention_days) == (60, 60)
    assert (found.processes_enabled, found.process_commands_enabled) == (True, True)
    assert found.levels == {
        "metric_interval": servers_pb2.SETTINGS_LEVEL_ORGANIZATION,
        "retention_days": servers_pb2.SETTINGS_LEVEL_SERVER_GROUP,
        "processes_enabled": servers_pb2.SETTINGS_LEVEL_SERVER,
        "process_commands_enabled": servers_pb2.SETTINGS_LEVEL_DEFAULT,
    }


@pytest.mark.parametrize("paths", [[], [""], ["*"], ["a", "b"], ["b.c"]])
def test_a_mask_that_names_nothing_or_something_else_is_refused(paths: list[str]) -> None:
    with pytest.raises(FlickError) as caught:
        changed_fields(FieldMask(paths=paths), changeable=("a",), message=servers_pb2.Server.DESCRIPTOR)

    assert caught.value.violations[0].field == "update_mask"


def test_the_only_fitting_organization_is_meant() -> None:
    mine = {"a": options_pb2.ROLE_VIEWER, "b": options_pb2.ROLE_OWNER}

    assert roles.only_organization(mine, least=options_pb2.ROLE_ADMIN) == "b"


@pytest.mark.parametrize(
    ("mine", "kind"),
    [({}, Kind.PERMISSION_DENIED), ({"a": 2}, Kind.PERMISSION_DENIED), ({"a": 3, "b": 4}, Kind.INVALID_ARGUMENT)],
)
def test_no_organization_or_several_are_no_answer(mine: dict[str, int], kind: Kind) -> None:
    with pytest.raises(FlickError) as caught:
        roles.only_organization(mine, least=options_pb2.ROLE_ADMIN)

    assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("role", "kind"), [(None, Kind.NOT_FOUND), (1, Kind.PERMISSION_DENIED), (2, Kind.PERMISSION_DENIED)]
)
def test_a_role_that_does_not_suffice_is_refused(role: int | None, kind: Kind) -> None:
    with pytest.raises(FlickError) as caught:
        roles.require(role, least=options_pb2.ROLE_ADMIN, subject="join token")

    assert caught.value.kind is kind
