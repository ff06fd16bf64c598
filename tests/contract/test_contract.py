"""The contract is complete, commented and without clashes, and what is generated from it is fresh."""

import filecmp
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2

from flick.v1 import catalog_pb2, options_pb2
from gateway.transcode import DEFAULT, Types
from gateway.transcode.routing.overlap import find_overlaps
from gateway.transcode.routing.rules import read_bindings
from gateway.transcode.routing.table import build_router

ROOT = Path(__file__).parents[2]
STUBS = ROOT / "flick" / "v1"
DESCRIPTORS = descriptor_pb2.FileDescriptorSet.FromString((STUBS / "descriptors.binpb").read_bytes())
FILES = [file for file in DESCRIPTORS.file if file.package == "flick.v1"]
# Methods that only FLick's own parts call: they are not public, so they have no route.
INTERNAL = {
    "StreamTelemetry", "IssueServiceToken", "WatchAccess", "LookUpAccess", "FindServers", "ReportHosts",
    "ListRetentions",
}  # fmt: skip


def methods() -> Iterator[tuple[str, descriptor_pb2.MethodDescriptorProto]]:
    for file in FILES:
        for service in file.service:
            for method in service.method:
                yield service.name, method


def test_the_committed_stubs_are_what_the_contract_gives(tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; sys.path.insert(0, 'proto'); import generate; "
    script += f"generate.generate(destination=Path({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=60)
    fresh = sorted(path.name for path in (tmp_path / "flick" / "v1").iterdir())
    committed = sorted(path.name for path in STUBS.iterdir() if path.is_file())
    _, different, errors = filecmp.cmpfiles(tmp_path / "flick" / "v1", STUBS, fresh, shallow=False)

    assert fresh == committed
    assert (different, errors) == ([], [])


def test_proto_is_no_package() -> None:
    assert not list((ROOT / "proto").rglob("__init__.py"))


def test_everything_in_the_contract_is_commented() -> None:
    bare = [where for file in FILES for where in _without_comment(file)]

    assert bare == []


def _without_comment(file: descriptor_pb2.FileDescriptorProto) -> Iterator[str]:
    commented = {tuple(place.path) for place in file.source_code_info.location if place.leading_comments.strip()}
    for path, name in _places(file):
        if path not in commented:
            yield f"{file.name}: {name}"


def _places(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    """Paths of descriptor.proto: 4 messages (2 fields), 5 enums (2 values), 6 services (2 methods), 7 extensions."""
    for i, message in enumerate(file.message_type):
        yield (4, i), message.name
        yield from (((4, i, 2, j), f"{message.name}.{field.name}") for j, field in enumerate(message.field))
        yield from (
            ((4, i, 8, j), f"{message.name}.{oneof.name}")
            for j, oneof in enumerate(message.oneof_decl)
            if not oneof.name.startswith("_")  # made up by protoc for `optional`
        )
    for i, enum in enumerate(file.enum_type):
        yield (5, i), enum.name
        yield from (((5, i, 2, j), f"{enum.name}.{value.name}") for j, value in enumerate(enum.value))
    for i, service in enumerate(file.service):
        yield (6, i), service.name
        yield from (((6, i, 2, j), f"{service.name}.{method.name}") for j, method in enumerate(service.method))
    yield from (((7, i), extension.name) for i, extension in enumerate(file.extension))


@pytest.mark.parametrize(("service", "method"), [(service, method.name) for service, method in methods()])
def test_every_method_says_who_may_call_it_and_is_named_and_routed(service: str, method: str) -> None:
    found = next(one for name, one in methods() if (name, one.name) == (service, method))
    access = found.options.Extensions[options_pb2.access]
    routed = found.options.HasExtension(annotations_pb2.http)

    assert access.callers
    assert options_pb2.CALLER_KIND_UNSPECIFIED not in access.callers
    assert bool(access.services) == (options_pb2.CALLER_KIND_SERVICE in access.callers)
    assert found.input_type.endswith(f".{method}Request")
    assert routed == (method not in INTERNAL)


def test_no_two_routes_share_a_path_and_all_live_under_the_version() -> None:
    routes = read_bindings(DESCRIPTORS, Types(DESCRIPTORS))

    assert [str(overlap) for overlap in find_overlaps(routes, build_router(routes, routes, DEFAULT))] == []
    assert all(route.template.text.startswith("/api/v1/") for route in routes)


def test_every_enum_begins_with_unspecified() -> None:
    zeros = [enum.value[0] for file in FILES for enum in file.enum_type]

    assert all(value.number == 0 and value.name.endswith("_UNSPECIFIED") for value in zeros)


def test_scalar_metrics_have_no_varying_labels_and_labelled_ones_do() -> None:
    for value in catalog_pb2.Metric.DESCRIPTOR.values[1:]:
        rule = value.GetOptions().Extensions[options_pb2.metric]

        assert rule.name
        assert rule.unit
        assert rule.kind != options_pb2.METRIC_KIND_UNSPECIFIED
        assert bool(rule.label_keys) == (value.number >= 500), value.name


def test_no_two_metrics_are_the_same_series() -> None:
    rules = [value.GetOptions().Extensions[options_pb2.metric] for value in catalog_pb2.Metric.DESCRIPTOR.values[1:]]
    keys = [(rule.name, tuple(rule.fixed_labels)) for rule in rules]

    assert len(keys) == len(set(keys))


def test_scalar_metrics_are_numbered_without_a_hole() -> None:
    numbers = [value.number for value in catalog_pb2.Metric.DESCRIPTOR.values if 0 < value.number < 500]

    assert numbers == list(range(1, len(numbers) + 1))
