"""Every kind of error is the same at both ends of a call."""

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2

from flick.errors import FlickError, Kind, Violation, invalid
from flick.rpc.status import grpc_status, to_status


def test_every_grpc_status_has_a_kind_and_every_kind_a_grpc_status() -> None:
    assert {kind.name for kind in Kind} | {"OK"} == {code.name for code in grpc.StatusCode}
    assert all(code_pb2.Code.Value(kind.name) == kind.grpc_code for kind in Kind)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_a_grpc_and_an_http_row(kind: Kind) -> None:
    assert grpc_status(kind).name == kind.name
    assert 400 <= kind.http_status < 600


def test_the_private_text_stays_at_home() -> None:
    status = to_status(FlickError(Kind.UNAVAILABLE, "Later.", private="postgres on 10.0.0.7 refused"))

    assert b"10.0.0.7" not in status.SerializeToString()


def test_a_violation_names_its_field_in_the_details() -> None:
    status = to_status(invalid("max_points", "is 7, but must be 10 to 5000."))
    request = error_details_pb2.BadRequest()
    found = [detail for detail in status.details if detail.Unpack(request)]

    assert len(found) == 1
    assert [(one.field, one.description) for one in request.field_violations] == [
        ("max_points", "is 7, but must be 10 to 5000.")
    ]


def test_an_error_keeps_its_violations() -> None:
    assert invalid("a", "b").violations == (Violation(field="a", description="b"),)
