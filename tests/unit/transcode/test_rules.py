"""HTTP rules: what is read from a contract, and what is refused before the first request."""

from pathlib import Path

import pytest
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.transcode import DEFAULT, GRPC_GATEWAY_V2, ContractError, Options, Transcoder
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


def gateway_bindings(tmp_path: Path, *methods: str, options: Options | None = None) -> tuple[Binding, ...]:
    """The bindings in the profile that follows grpc-gateway."""
    descriptors = contract.compile_text(FRAME % "\n".join(methods), tmp_path)
    found = read_bindings(descriptors, Types(descriptors), SERVICES, profile=GRPC_GATEWAY_V2, options=options)
    build_router(found, found, GRPC_GATEWAY_V2)
    return found


def test_a_path_variable_may_pass_a_list_where_the_profile_says_so(tmp_path: Path) -> None:
    rule = rpc('get: "/v1/{part.parts.id}" additional_bindings { get: "/v2/{part.part.parts.id}" }')

    assert len(gateway_bindings(tmp_path, rule)) == 2
    with pytest.raises(ContractError, match="passes through a repeated field"):
        bindings(tmp_path, rule)


def test_a_delete_may_have_a_body_where_the_host_allows_it(tmp_path: Path) -> None:
    rule = rpc('delete: "/v1" body: "*"')

    assert len(gateway_bindings(tmp_path, rule, options=Options(allow_delete_body=True))) == 1
    with pytest.raises(ContractError, match="DELETE must not have a body"):
        gateway_bindings(tmp_path, rule)


def test_the_same_route_twice_in_a_service_is_refused_by_every_profile(tmp_path: Path) -> None:
    twice = rpc('get: "/v1/{id}"', name="One"), rpc('get: "/v1/{id}"', name="Two")

    with pytest.raises(ContractError, match=r"GET /v1/\{id\} \(t\.S/Two\) matches the same requests as"):
        gateway_bindings(tmp_path, *twice)
    with pytest.raises(ContractError, match=r"GET /v1/\{id\} \(t\.S/Two\) matches the same requests as"):
        bindings(tmp_path, *twice)


def test_two_spellings_of_a_route_are_refused_where_none_wins_by_its_place(tmp_path: Path) -> None:
    twice = rpc('get: "/v1/{id}"', name="One"), rpc('get: "/v1/{maybe}"', name="Two")

    assert len(gateway_bindings(tmp_path, *twice)) == 2
    with pytest.raises(ContractError, match="matches the same requests as"):
        bindings(tmp_path, *twice)


def test_rules_of_the_host_come_before_the_methods_own(tmp_path: Path) -> None:
    rule = HttpRule(selector="t.S.Do", get="/outside", additional_bindings=[HttpRule(get="/outside/{id}")])
    options = Options(rules=[rule, HttpRule(selector="t.S.Quiet", post="/quiet", body="*")])
    found = gateway_bindings(tmp_path, rpc('get: "/own"'), "rpc Quiet(M) returns (M);", options=options)

    assert [str(binding) for binding in found] == [
        "GET /outside (t.S/Do)",
        "GET /outside/{id} (t.S/Do)",
        "GET /own (t.S/Do)",
        "POST /quiet (t.S/Quiet)",
    ]


def test_a_rule_for_no_method_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"a rule names 't\.S\.Nothing', which is no method"):
        gateway_bindings(tmp_path, options=Options(rules=[HttpRule(selector="t.S.Nothing", get="/x")]))


def test_methods_without_a_rule_may_be_served_by_their_name(tmp_path: Path) -> None:
    found = gateway_bindings(tmp_path, "rpc Quiet(M) returns (M);", options=Options(serve_unbound_methods=True))

    assert [(str(binding), binding.body) for binding in found] == [("POST /t.S/Quiet (t.S/Quiet)", "*")]


def test_a_set_that_does_not_hold_together_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    descriptors = contract.compile_text(FRAME % rpc('get: "/v1"'), tmp_path)
    descriptors.file[-1].service[0].method[0].input_type = ".t.NoSuch"

    with pytest.raises(ContractError, match="NoSuch"):
        Transcoder(descriptors, {})
