"""HTTP rules: what is read from a contract, and what is refused before the first request."""

from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.transcode import DEFAULT, ContractError
from gateway.transcode.codec.types import Types
from gateway.transcode.routing.overlap import find_overlaps, shared_path
from gateway.transcode.routing.rules import Binding
from gateway.transcode.routing.table import build_router, read_bindings
from gateway.transcode.routing.template import parse_template
from tests.unit.transcode import contract

SERVICES = frozenset({"t.S", "library.v1.Library"})

FRAME = """
syntax = "proto3";
package t;
import "google/api/annotations.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/timestamp.proto";
message Part { string id = 1; Part part = 2; repeated Part parts = 3; }
message M {
  string id = 1; Part part = 2; repeated string tags = 3; repeated Part parts = 4; optional string maybe = 5;
  google.protobuf.FieldMask mask = 6; google.protobuf.Timestamp at = 7; map<string, string> labels = 8;
}
service S {
  %s
}
"""


def bindings(tmp_path: Path, *methods: str) -> tuple[Binding, ...]:
    """The bindings of a service with these methods."""
    descriptors = contract.compile_text(FRAME % "\n".join(methods), tmp_path)
    found = read_bindings(descriptors, Types(descriptors), SERVICES)
    build_router(found, found, DEFAULT)
    return found


def rpc(rule: str, *, name: str = "Do", request: str = "M", answer: str = "M") -> str:
    return f"rpc {name}({request}) returns ({answer}) {{ option (google.api.http) = {{ {rule} }}; }}"


@pytest.mark.parametrize(
    "rule",
    [
        'get: "/v1/{id}"',
        'get: "/v1/{maybe}"',
        'get: "/v1/{at}"',
        'get: "/v1/{tags}"',
        'get: "/v1/{part.part.part.part.id}"',
        'post: "/v1" body: "*"',
        'post: "/v1" body: "part"',
        'post: "/v1" body: "part.parts"',
        'post: "/v1" body: "tags"',
        'post: "/v1" body: "labels"',
        'post: "/v1" body: "*" response_body: "parts"',
        'get: "/v1" response_body: "part.part"',
        'get: "/v1" response_body: "*"',
        'custom: {kind: "HEAD" path: "/v1"}',
        'custom: {kind: "OPTIONS" path: "/**"}',
    ],
)
def test_a_good_rule_becomes_a_binding(rule: str, tmp_path: Path) -> None:
    (binding,) = bindings(tmp_path, rpc(rule))

    assert binding.rpc == "/t.S/Do"


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ('get: "/v1" body: "*"', "GET must not have a body"),
        ('delete: "/v1" body: "part"', "DELETE must not have a body"),
        ('get: "/v1/{nope}"', "t.M has no field 'nope'"),
        ('get: "/v1/{id.x}"', "'id' is no message"),
        ('get: "/v1/{part}"', "t.Part, which has no form as text"),
        ('get: "/v1/{mask}"', "google.protobuf.FieldMask, which has no form as text"),
        ('get: "/v1/{parts.id}"', "through a repeated field"),
        ('get: "/v1/{labels}"', "no form as text"),
        ('post: "/v1" body: "nope"', "body 'nope': t.M has no field 'nope'"),
        ('post: "/v1" body: "parts.id"', "through a repeated field"),
        ('get: "/v1" response_body: "nope"', "response_body 'nope'"),
        ('get: "v1"', "begins with '/'"),
        ('get: "/v1/**/**"', "'**' may stand only once"),
        ('get: ""', "begins with '/'"),
        ('custom: {kind: "*" path: "/v1"}', "custom kind '*'"),
        ('custom: {kind: "get" path: "/v1"}', "custom kind 'get'"),
        ('get: "/a" additional_bindings { get: "/b" additional_bindings { get: "/c" } }', "inside additional_bindings"),
        ('get: "/a" additional_bindings { body: "*" }', "has no path"),
        ('get: "/a/{id}" additional_bindings { get: "/a/{maybe}" }', "matches the same requests as GET /a/{id}"),
    ],
)
def test_a_rule_that_cannot_be_served_is_refused_with_its_method(rule: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ContractError) as caught:
        bindings(tmp_path, rpc(rule))

    assert problem in str(caught.value)
    assert "t.S" in str(caught.value)


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ContractError) as caught:
        bindings(tmp_path, rpc('get: "a"', name="One"), rpc('get: "/b/{nope}"', name="Two"))

    assert len(caught.value.problems) == 2


def test_one_path_may_serve_several_methods(tmp_path: Path) -> None:
    found = bindings(tmp_path, rpc('get: "/a/{id}"', name="Get"), rpc('delete: "/a/{maybe}"', name="Drop"))

    assert [str(binding) for binding in found] == ["GET /a/{id} (t.S/Get)", "DELETE /a/{maybe} (t.S/Drop)"]


def test_a_method_without_a_rule_has_no_route(tmp_path: Path) -> None:
    assert bindings(tmp_path, "rpc Quiet(M) returns (M);", "rpc Stream(stream M) returns (stream M);") == ()


def test_a_client_stream_may_have_a_rule_but_no_path_variable(tmp_path: Path) -> None:
    found = bindings(tmp_path, rpc('post: "/v1" body: "*"', request="stream M"))

    assert [str(binding) for binding in found] == ["POST /v1 (t.S/Do)"]
    with pytest.raises(ContractError, match="a client stream has no one message for a path variable"):
        bindings(tmp_path, rpc('post: "/v1/{id}" body: "*"', request="stream M"))


def test_a_service_without_a_channel_is_refused() -> None:
    with pytest.raises(ContractError, match=r"library\.v1\.Library has HTTP rules, but no channel"):
        read_bindings(contract.library(), contract.types(), frozenset())


def test_the_main_rule_comes_first_and_operations_are_numbered() -> None:
    found = read_bindings(contract.library(), contract.types(), SERVICES)
    books = [binding for binding in found if binding.method.name == "ListBooks"]

    assert [binding.operation_id for binding in books] == [
        "Library_ListBooks",
        "Library_ListBooks_1",
        "Library_ListBooks_2",
    ]


def test_a_set_without_its_imports_is_refused() -> None:
    bare = FileDescriptorSet(file=[file for file in contract.library().file if file.name.startswith("library/")])

    with pytest.raises(ValueError, match="--include_imports"):
        Types(bare)


@pytest.mark.parametrize(
    ("one", "other", "path"),
    [
        ("/a/{x}", "/a/me", "/a/me"),
        ("/a/{x}", "/{y}/b", "/a/b"),
        ("/a/**", "/a/b/c", "/a/b/c"),
        ("/**/z", "/a/**", "/a/z"),
        ("/a/{x=**}/b", "/a/*/*/b", "/a/x/x/b"),
        ("/a/{x}:go", "/a/{x}", "/a/x:go"),
        ("/a/b:go", "/a/**", "/a/b:go"),
        ("/a/{x}:go", "/a/{y=b}:go", "/a/b:go"),
        ("/a/{x}", "/b/{x}", None),
        ("/a/{x}", "/a/{x}/c", None),
        ("/a/{x}:go", "/a/{x}:stop", None),
        ("/a/{x}:go", "/a/b", None),
        ("/", "/*", None),
        ("/", "/**", "/"),
        ("/**/a", "/**/b", None),
    ],
)
def test_the_path_that_two_templates_share_is_found(one: str, other: str, path: str | None) -> None:
    templates = parse_template(one), parse_template(other)

    assert shared_path(*templates) == path
    assert shared_path(*reversed(templates)) == path


def test_overlaps_are_reported_with_their_winner(tmp_path: Path) -> None:
    found = bindings(
        tmp_path,
        rpc('get: "/a/{id}"', name="One"),
        rpc('get: "/a/me"', name="Me"),
        rpc('delete: "/a/{id}"', name="Drop"),
    )

    assert [str(overlap) for overlap in find_overlaps(found, build_router(found, found, DEFAULT))] == [
        "GET /a/me (t.S/Me) wins over GET /a/{id} (t.S/One), as for /a/me"
    ]
