"""Headers to metadata and back, and deadlines."""

from typing import Any

import pytest

from gateway.transcode import Options
from gateway.transcode.errors import RefusedError
from gateway.transcode.wire.deadline import call_timeout_s
from gateway.transcode.wire.headers import call_metadata, response_headers, success_status


def metadata(*headers: tuple[str, str], options: Options | None = None, client: Any = ("198.51.100.9", 1)) -> Any:
    """The metadata of a request with these headers."""
    scope = {"headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers], "client": client}
    return call_metadata(scope, options or Options())


def test_authorization_travels_twice() -> None:
    assert metadata(("Authorization", "Bearer x"), client=None) == (
        ("authorization", "Bearer x"),
        ("grpcgateway-authorization", "Bearer x"),
    )


def test_permanent_headers_travel_with_a_prefix() -> None:
    assert metadata(("User-Agent", "curl"), ("If-Match", '"1"'), client=None) == (
        ("grpcgateway-user-agent", "curl"),
        ("grpcgateway-if-match", '"1"'),
    )


def test_prefixed_headers_lose_their_prefix_and_keep_their_order() -> None:
    assert metadata(("Grpc-Metadata-FooBar", "1"), ("grpc-metadata-foobar", "2"), client=None) == (
        ("foobar", "1"),
        ("foobar", "2"),
    )


def test_traces_and_request_ids_pass_under_their_own_names() -> None:
    assert metadata(("traceparent", "00-1-2-01"), ("X-Request-Id", "r1"), client=None) == (
        ("traceparent", "00-1-2-01"),
        ("x-request-id", "r1"),
    )


def test_other_headers_are_dropped() -> None:
    assert metadata(("X-Secret", "1"), ("Connection", "close"), ("Content-Length", "5"), client=None) == ()


@pytest.mark.parametrize("name", ["Grpc-Timeout", "User-Agent", "TE", "X-Forwarded-For"])
def test_what_steers_grpc_or_is_vouched_for_cannot_be_set_by_a_prefixed_header(name: str) -> None:
    assert metadata((f"Grpc-Metadata-{name}", "1"), client=None) == ()


def test_the_peer_is_appended_to_forwarded_for() -> None:
    assert metadata(("X-Forwarded-For", "203.0.113.1"), ("X-Forwarded-For", "10.0.0.1, 10.0.0.2")) == (
        ("x-forwarded-for", "203.0.113.1, 10.0.0.1, 10.0.0.2, 198.51.100.9"),
    )


@pytest.mark.parametrize(
    ("headers", "host"),
    [([("Host", "a.example")], "a.example"), ([("Host", "a.example"), ("X-Forwarded-Host", "b.example")], "b.example")],
)
def test_the_host_asked_for_is_forwarded(headers: list[tuple[str, str]], host: str) -> None:
    assert metadata(*headers, client=None) == (("x-forwarded-host", host),)


@pytest.mark.parametrize("text", ["AQID", "AQI=", "AQI"])
def test_binary_headers_are_decoded_padded_or_not(text: str) -> None:
    ((key, value),) = metadata(("Grpc-Metadata-Blob-Bin", text), client=None)

    assert key == "blob-bin"
    assert value in (b"\x01\x02\x03", b"\x01\x02")


def test_a_binary_header_that_is_no_base64_is_a_400() -> None:
    with pytest.raises(RefusedError, match="blob-bin") as caught:
        metadata(("Grpc-Metadata-Blob-Bin", "!"))

    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("name", "value"), [("Grpc-Metadata-A b", "x"), ("Grpc-Metadata-A", "é"), ("Grpc-Metadata-", "x")]
)
def test_what_is_no_metadata_is_skipped(name: str, value: str) -> None:
    assert metadata((name, value), client=None) == ()


def test_the_host_application_adds_and_replaces_metadata() -> None:
    options = Options(extra_metadata=lambda _scope: [("authorization", "Bearer cookie")])

    assert metadata(("Authorization", "Bearer x"), options=options, client=None) == (
        ("grpcgateway-authorization", "Bearer x"),
        ("authorization", "Bearer cookie"),
    )


def test_answers_carry_header_metadata_with_a_prefix() -> None:
    given = (("etag", "1"), ("blob-bin", b"\x01"), ("x-http-code", "201"), ("bad", "a\nb"))

    assert response_headers(given, Options()) == [("grpc-metadata-etag", "1"), ("grpc-metadata-blob-bin", "AQ==")]


@pytest.mark.parametrize(
    ("initial", "trailing", "status"),
    [
        ([("x-http-code", "201")], [], 201),
        ([], [("x-http-code", "204")], 204),
        ([("x-http-code", "500")], [], 200),
        ([("x-http-code", "abc")], [], 200),
        ([("x-http-code", "²00")], [], 200),
        ([], [], 200),
    ],
)
def test_only_a_success_can_be_chosen(initial: Any, trailing: Any, status: int) -> None:
    assert success_status(initial, trailing) == status


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("2H", 7200.0), ("3M", 180.0), ("5S", 5.0), ("1009m", 1.009), ("7u", 7e-6), ("9n", 9e-9), ("", 15.0)],
)
def test_a_deadline_is_read_with_its_unit(header: str, seconds: float) -> None:
    assert call_timeout_s(header, default_s=15, max_s=10_000) == pytest.approx(seconds)


def test_no_deadline_exceeds_the_longest_allowed() -> None:
    assert call_timeout_s("99999999H", default_s=15, max_s=60) == 60
    assert call_timeout_s("", default_s=90, max_s=60) == 60


@pytest.mark.parametrize("header", ["INVALID", "5", "S", "5 S", "--5S", "1.5S", "5s", "５S", "9" * 30 + "S"])
def test_a_broken_deadline_is_a_400(header: str) -> None:
    with pytest.raises(RefusedError, match="invalid grpc-timeout") as caught:
        call_timeout_s(header, default_s=15, max_s=60)

    assert caught.value.status == 400
