"""Update masks, the ranges of settings, and which organization is meant."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from flick.errors import FlickError, Kind
from flick.v1 import options_pb2, servers_pb2
from services.auth.rules import roles, settings
from services.auth.rules.masks import changed_fields

PRESENT = servers_pb2.ServerSettings(
    metric_interval=Duration(seconds=5), retention_days=30, processes_enabled=True, process_commands_enabled=True
)


def test_every_field_of_the_contract_can_be_changed() -> None:
    assert set(settings.CHANGEABLE) == set(servers_pb2.ServerSettings.DESCRIPTOR.fields_by_name)


def test_only_named_fields_change() -> None:
    merged = settings.merge(PRESENT, servers_pb2.ServerSettings(retention_days=7), fields=frozenset({"retention_days"}))

    assert (merged.retention_days, merged.processes_enabled, merged.metric_interval.seconds) == (7, True, 5)


def test_every_named_field_changes() -> None:
    asked = servers_pb2.ServerSettings(metric_interval=Duration(seconds=300), retention_days=3650)

    assert settings.merge(PRESENT, asked, fields=frozenset(settings.CHANGEABLE)) == asked


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (servers_pb2.ServerSettings(), "metric_interval"),
        (servers_pb2.ServerSettings(metric_interval=Duration(seconds=301)), "metric_interval"),
        (servers_pb2.ServerSettings(metric_interval=Duration(seconds=5, nanos=1)), "metric_interval"),
        (servers_pb2.ServerSettings(metric_interval=Duration(seconds=-5)), "metric_interval"),
        (servers_pb2.ServerSettings(), "retention_days"),
        (servers_pb2.ServerSettings(retention_days=-1), "retention_days"),
        (servers_pb2.ServerSettings(retention_days=3651), "retention_days"),
    ],
)
def test_a_value_out_of_range_is_named(asked: servers_pb2.ServerSettings, field: str) -> None:
    with pytest.raises(FlickError) as caught:
        settings.merge(PRESENT, asked, fields=frozenset({field}))

    assert caught.value.violations[0].field == f"settings.{field}"


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
