"""Numbers, truth values, bytes, moments and durations as Go's standard library reads them."""

import math
import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transcode.codec.moments import format_duration, parse_duration, parse_go_duration, parse_go_moment
from gateway.transcode.codec.moments import parse_moment as parse_json_moment
from gateway.transcode.request.gosyntax import parse_bool, parse_bytes, parse_double, parse_float, parse_integer

INT64 = (-(2**63), 2**63 - 1)
UINT32 = (0, 2**32 - 1)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("-0", 0),
        ("+7", 7),
        ("007", 7),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775807", 2**63 - 1),
        ("0" * 5000 + "5", 5),
    ],
)
def test_an_integer_in_base_10(text: str, number: int) -> None:
    assert parse_integer(text, *INT64, any_base=False) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("00", 0),
        ("010", 8),
        ("-010", -8),
        ("0_7", 7),
        ("0x10", 16),
        ("0XfF", 255),
        ("+0x1", 1),
        ("0x_1", 1),
        ("0b11", 3),
        ("0B_1_0", 2),
        ("0o17", 15),
        ("0O1_7", 15),
        ("1_000", 1000),
        ("-1_0", -10),
        ("0x7fffffffffffffff", 2**63 - 1),
        ("-0x8000000000000000", -(2**63)),
    ],
)
def test_an_integer_of_any_base(text: str, number: int) -> None:
    assert parse_integer(text, *INT64, any_base=True) == number


@pytest.mark.parametrize("any_base", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "+",
        "--1",
        "1.0",
        "1e3",
        " 1",
        "1 ",
        "１",
        "_1",
        "1_",
        "1__0",
        "0x",
        "0b",
        "0b2",
        "0o8",
        "08",
        "0x8000000000000000",
        "9223372036854775808",
        "-9223372036854775809",
        "9" * 5000,
    ],
)
def test_what_is_no_integer(text: str, any_base: bool) -> None:
    if text == "08" and not any_base:
        return
    with pytest.raises(ValueError, match="whole number"):
        parse_integer(text, *INT64, any_base=any_base)


@pytest.mark.parametrize("text", ["-1", "-0", "+1", "4294967296", "0x10", "1_0"])
def test_an_unsigned_integer_has_no_sign(text: str) -> None:
    with pytest.raises(ValueError, match="between 0 and 4294967295"):
        parse_integer(text, *UINT32, any_base=False)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.5", 1.5),
        ("-1.", -1.0),
        (".5", 0.5),
        ("+1E+2", 100.0),
        ("1e-400", 0.0),
        ("1_23.50_0_0e+1_2", 1.235e14),
        ("0x1p-2", 0.25),
        ("0X1.8P1", 3.0),
        ("0x.8p0", 0.5),
        ("0x1.p0", 1.0),
        ("-0x_1_2.3_4_5p+1_2", -74565.0),
        ("inf", math.inf),
        ("+Inf", math.inf),
        ("-INFINITY", -math.inf),
        ("1.7976931348623157e308", 1.7976931348623157e308),
    ],
)
def test_a_floating_point_number(text: str, number: float) -> None:
    assert parse_double(text) == number


def test_nan_has_no_sign() -> None:
    assert math.isnan(parse_double("NaN"))
    with pytest.raises(ValueError, match="must be a number"):
        parse_double("-nan")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "e5",
        "1e",
        "1e+",
        "1,5",
        " 1",
        "0x1",
        "0x1.8",
        "0xp1",
        "0x1p",
        "1p2",
        "infin",
        "infinity1",
        "1e5_",
        "１",
        "_1.5",
        "1_.5",
        "1._5",
        "1.5_",
        "1__2",
        "1.5e_1",
        "0x1p1_",
        "1e309",
        "-1e309",
        "0x1p1024",
        "1" + "0" * 400,
    ],
)
def test_what_is_no_floating_point_number(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        parse_double(text)


def test_32_bits_have_a_smaller_range() -> None:
    assert parse_float("3.4028235e38") == pytest.approx(3.4028235e38)
    assert parse_float("-inf") == -math.inf
    with pytest.raises(ValueError, match="32-bit"):
        parse_float("3.4028236e38")


@given(st.floats(allow_nan=False))
def test_every_double_reads_back(number: float) -> None:
    assert parse_double(repr(number)) == parse_double(number.hex() if math.isfinite(number) else repr(number)) == number


@pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "true", "True"])
def test_truth_has_six_spellings(text: str) -> None:
    assert parse_bool(text) is True


@pytest.mark.parametrize("text", ["0", "f", "F", "FALSE", "false", "False"])
def test_so_has_its_contrary(text: str) -> None:
    assert parse_bool(text) is False


@pytest.mark.parametrize("text", ["", "yes", "tRUE", "2", " true"])
def test_nothing_else_is_true_or_false(text: str) -> None:
    with pytest.raises(ValueError, match="true or false"):
        parse_bool(text)


@pytest.mark.parametrize(
    ("text", "octets"),
    [("", b""), ("YQ==", b"a"), ("-_8=", b"\xfb\xff"), ("+/8=", b"\xfb\xff"), ("YW\nJj\r\n", b"abc"), ("YR==", b"a")],
)
def test_bytes_are_padded_base64_of_either_alphabet(text: str, octets: bytes) -> None:
    assert parse_bytes(text) == octets


@pytest.mark.parametrize("text", ["YQ", "YQ=", "YQ===", "+_8=", "!!!!", "=", "Y", "YQ==YQ==", "é"])
def test_what_is_no_base64(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("text", "seconds", "nanos"),
    [
        ("1970-01-01T00:00:01Z", 1, 0),
        ("1970-01-01T1:00:00Z", 3600, 0),
        ("1970-01-01T00:00:00,5Z", 0, 500_000_000),
        ("1969-12-31T23:59:59.5Z", -1, 500_000_000),
        ("1970-01-02T00:00:00+24:00", 0, 0),
        ("1970-01-01T00:00:00-00:60", 3600, 0),
        ("0001-01-01T00:00:00Z", -62135596800, 0),
        ("9999-12-31T23:59:59.999999999Z", 253402300799, 999_999_999),
        ("2000-02-29T00:00:00Z", 951782400, 0),
    ],
)
def test_a_moment(text: str, seconds: int, nanos: int) -> None:
    assert parse_go_moment(text) == parse_json_moment(text) == (seconds, nanos)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "1700000000",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01t00:00:00Z",
        "1970-01-01T00:00:00z",
        "1970-01-01 00:00:00Z",
        "1970-1-01T00:00:00Z",
        "1970-01-01T00:0:00Z",
        "1970-13-01T00:00:00Z",
        "1970-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:60Z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00+25:00",
        "1970-01-01T00:00:00+00:61",
        "1970-01-01T00:00:00+0100",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "10000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-00:01",
        "1970-01-01T00:00:00Z ",
        "１970-01-01T00:00:00Z",
    ],
)
def test_what_is_no_moment(text: str) -> None:
    for parse in (parse_go_moment, parse_json_moment):
        with pytest.raises(ValueError, match=r"\w"):
            parse(text)


def test_of_a_fraction_nine_digits_count_and_json_has_no_more() -> None:
    text = "1970-01-01T00:00:00.1234567899Z"

    assert parse_go_moment(text) == (0, 123_456_789)
    with pytest.raises(ValueError, match="nine digits"):
        parse_json_moment(text)


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("0", 0),
        ("+0", 0),
        ("-0", 0),
        ("5s", 5 * 10**9),
        ("13h0m0s", 13 * 3600 * 10**9),
        ("1h30m", 5400 * 10**9),
        ("-1.5h", -5400 * 10**9),
        ("+.5s", 5 * 10**8),
        ("1.s", 10**9),
        ("1us2µs3μs", 6000),
        ("100ns", 100),
        ("1m1m", 120 * 10**9),
        ("0.9ns", 0),
        ("1.0000000001s", 10**9),
        ("0.3333333333333333333h", 1_200_000_000_000),
        ("0.9223372036854775807h", 3_320_413_933_267),
        ("0.830103483285477580700h", 2_988_372_539_827),
        ("9007199254.740993ms", 9_007_199_254_740_993),
        ("9223372036854775807ns", 2**63 - 1),
        ("-9223372036854775808ns", -(2**63)),
        ("2562047h47m16.854775807s", 2**63 - 1),
        ("0.100000000000000000000h", 360 * 10**9),
    ],
)
def test_a_duration_of_go(text: str, nanos: int) -> None:
    seconds, rest = parse_go_duration(text)

    assert seconds * 10**9 + rest == nanos
    assert seconds * rest >= 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "-",
        "s",
        ".s",
        "+.s",
        "-.",
        ".",
        "3000",
        "1 h",
        "h",
        "1x",
        "1d",
        "null",
        "1h-1m",
        "1e3s",
        "1.1.1s",
        "１s",
        "9223372036854775808ns",
        "-9223372036854775809ns",
        "2562047h47m16.854775808s",
        "99999999999h",
        "9" * 5000 + "h",
    ],
)
def test_what_is_no_duration_of_go(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_go_duration(text)


@pytest.mark.parametrize(
    ("text", "seconds", "nanos"),
    [
        ("0s", 0, 0),
        ("1.5s", 1, 500_000_000),
        ("-1.5s", -1, -500_000_000),
        ("+1s", 1, 0),
        ("-0.000000001s", 0, -1),
        (".5s", 0, 500_000_000),
        ("1.s", 1, 0),
        ("315576000000s", 315_576_000_000, 0),
        ("-315576000000.999999999s", -315_576_000_000, -999_999_999),
    ],
)
def test_a_duration_of_json(text: str, seconds: int, nanos: int) -> None:
    assert parse_duration(text) == (seconds, nanos)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s",
        "-s",
        "+s",
        "1",
        "1m",
        "1.5",
        "01s",
        "1.0000000001s",
        "1,5s",
        "--1s",
        "1e3s",
        " 1s",
        "1s ",
        "315576000001s",
        "-315576000001s",
        "9" * 5000 + "s",
        "1h30m",
        "１s",
    ],
)
def test_what_is_no_duration_of_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_duration(text)


@given(st.integers(0, 315_575_999_999), st.integers(0, 999_999_999), st.sampled_from([1, -1]))
def test_durations_read_back(seconds: int, nanos: int, sign: int) -> None:
    assert parse_duration(format_duration(sign * seconds, sign * nanos)) == (sign * seconds, sign * nanos)


@given(st.integers(0, 10**6), st.decimals(0, 1, places=6), st.sampled_from(["ms", "s", "m", "h"]))
def test_a_fraction_is_exact_to_the_nanosecond_nearly(whole: int, fraction: object, unit: str) -> None:
    text = f"{whole}.{str(fraction)[2:] or '0'}{unit}"
    exact = Fraction(text.removesuffix(unit)) * {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}[unit]
    seconds, nanos = parse_go_duration(text)

    assert abs(seconds * 10**9 + nanos - exact) <= 1


@given(st.integers(0, 2**32 - 1))
def test_every_float32_reads_back(bits: int) -> None:
    number = struct.unpack("<f", struct.pack("<I", bits))[0]
    if math.isnan(number):
        return

    assert parse_float(repr(number)) == number
