"""How a stream ended, by the status of its call."""

import grpc
import pytest

from agent.uplink.ending import EndKind, ending_by_status

StatusCode = grpc.StatusCode


def _error(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details="why")


@pytest.mark.parametrize(
    ("code", "welcomed", "kind"),
    [
        (StatusCode.CANCELLED, False, EndKind.DRAINED),
        (StatusCode.CANCELLED, True, EndKind.FAILED),
        (StatusCode.UNAVAILABLE, False, EndKind.UNREACHABLE),
        (StatusCode.UNAVAILABLE, True, EndKind.FAILED),
        (StatusCode.UNAUTHENTICATED, False, EndKind.REFUSED),
        (StatusCode.PERMISSION_DENIED, True, EndKind.REFUSED),
        (StatusCode.UNIMPLEMENTED, False, EndKind.FAILED),
        (StatusCode.INTERNAL, True, EndKind.FAILED),
    ],
    ids=lambda one: str(one).rpartition(".")[2],
)
def test_the_status_of_a_call_and_whether_it_was_welcomed_tell_how_it_ended(
    code: grpc.StatusCode, welcomed: bool, kind: EndKind
) -> None:
    assert ending_by_status(_error(code), welcomed=welcomed).kind is kind


def test_whom_a_stopping_ingest_did_not_take_any_more_comes_back_soon_but_not_at_once() -> None:
    assert 0.5 <= ending_by_status(_error(StatusCode.CANCELLED), welcomed=False).come_back_s <= 5
