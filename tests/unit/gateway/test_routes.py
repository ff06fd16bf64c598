"""The table of routes that `python -m gateway routes` prints."""

from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.__main__ import main, read_descriptors
from gateway.routes import route_table
from gateway.transcode import GRPC_GATEWAY_V2
from tests.unit.transcode.contract import compile_text

CONTRACT = """
syntax = "proto3";
package t;
import "google/api/annotations.proto";
message M { string id = 1; }
service S {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/a/{id}" }; }
  rpc Me(M) returns (stream M) { option (google.api.http) = { get: "/a/me" }; }
  rpc Put(stream M) returns (M) { option (google.api.http) = { post: "/a" body: "*" }; }
}
"""


@pytest.fixture
def small(tmp_path: Path) -> FileDescriptorSet:
    return compile_text(CONTRACT, tmp_path)


def test_each_route_is_a_line_and_overlaps_follow(small: FileDescriptorSet) -> None:
    assert route_table(small).splitlines() == [
        "GET   /a/{id}  t.S/Get",
        "GET   /a/me    t.S/Me            stream out",
        "POST  /a       t.S/Put  body: *  stream in",
        "",
        "3 routes, 1 overlaps:",
        "  GET /a/me (t.S/Me) wins over GET /a/{id} (t.S/Get), as for /a/me",
    ]


def test_who_wins_is_the_profiles_to_say(small: FileDescriptorSet) -> None:
    small.file[-1].service[0].method.reverse()

    assert "GET /a/{id} (t.S/Get) wins over GET /a/me" in route_table(small, profile=GRPC_GATEWAY_V2)


def test_the_command_prints_the_contracts_own(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["routes"])
    printed = capsys.readouterr().out

    assert code == 0
    assert printed == route_table(read_descriptors()) + "\n"
    assert "POST    /api/v1/auth/login" in printed


def test_another_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["serve"])

    assert code == 2
    assert "usage: python -m gateway [routes | openapi]" in capsys.readouterr().err
