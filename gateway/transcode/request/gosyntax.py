"""Numbers, truth values and bytes in text, as Go's strconv and encoding/base64 read them.

Every function raises ValueError that says what is wanted. Source: strconv.ParseInt, ParseUint, ParseFloat, ParseBool.
"""

import re

from gateway.transcode.codec.numbers import FLOAT_OVERFLOW
from gateway.transcode.codec.octets import decode_standard, decode_url

_DECIMAL_INTEGER = re.compile(r"[0-9]+", re.ASCII)
_ANY_INTEGER = re.compile(
    r"0[xX](?P<hex>(?:_?[0-9a-fA-F])+)|0[bB](?P<binary>(?:_?[01])+)|0[oO](?P<octal>(?:_?[0-7])+)"
    r"|0(?P<old_octal>(?:_?[0-7])*)|(?P<decimal>[1-9](?:_?[0-9])*)",
    re.ASCII,
)
_BASES = {"hex": 16, "binary": 2, "octal": 8, "old_octal": 8, "decimal": 10}
_MOST_DIGITS = 64  # of a 64-bit integer in the smallest base

_DIGITS = r"[0-9](?:_?[0-9])*"
_HEX_DIGITS = r"[0-9a-fA-F](?:_?[0-9a-fA-F])*"
_DECIMAL_FLOAT = re.compile(rf"[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?", re.ASCII)
_HEX_FLOAT = re.compile(
    rf"[+-]?0[xX](?:_?{_HEX_DIGITS}(?:\.(?:{_HEX_DIGITS})?)?|\.{_HEX_DIGITS})[pP][+-]?{_DIGITS}", re.ASCII
)
_SPECIAL = re.compile(r"[+-]?(?:inf|infinity)|nan", re.ASCII | re.IGNORECASE)
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def parse_integer(text: str, low: int, high: int, *, any_base: bool) -> int:
    """An integer between `low` and `high`; only where negative ones exist may it have a sign. `any_base`: 0x, 0b, 0o or
    a leading zero name the base, and underscores may separate digits."""
    signed = low < 0 and text[:1] in ("+", "-")
    number = _magnitude(text[1:] if signed else text, any_base=any_base)
    if number is not None and text.startswith("-"):
        number = -number
    if number is None or not low <= number <= high:
        raise ValueError(f"must be a whole number between {low} and {high}" + ("" if any_base else ", in base 10"))
    return number


def _magnitude(text: str, *, any_base: bool) -> int | None:
    if any_base:
        found = _ANY_INTEGER.fullmatch(text)
        if found is None or found.lastgroup is None:
            return None
        digits, base = found[found.lastgroup].replace("_", ""), _BASES[found.lastgroup]
    elif _DECIMAL_INTEGER.fullmatch(text):
        digits, base = text, 10
    else:
        return None
    digits = digits.lstrip("0")
    return int(digits or "0", base) if len(digits) <= _MOST_DIGITS else None


def parse_double(text: str) -> float:
    """A double: decimal, hexadecimal, `inf` or `nan`; what is too large is refused."""
    if _SPECIAL.fullmatch(text):
        return float(text)
    plain = text.replace("_", "")
    if _DECIMAL_FLOAT.fullmatch(text):
        number = float(plain)
    elif _HEX_FLOAT.fullmatch(text):
        number = _from_hex(plain)
    else:
        raise ValueError("must be a number")
    if number - number != 0.0:
        raise ValueError("is too large for a floating-point number")
    return number


def _from_hex(text: str) -> float:
    try:
        return float.fromhex(text)
    except OverflowError:
        return float("inf")


def parse_float(text: str) -> float:
    """As `parse_double`, in the range of 32 bits."""
    number = parse_double(text)
    if number - number == 0.0 and abs(number) >= FLOAT_OVERFLOW:
        raise ValueError("is too large for a 32-bit floating-point number")
    return number


def parse_bool(text: str) -> bool:
    """One of Go's twelve spellings."""
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError("must be true or false")


def parse_bytes(text: str) -> bytes:
    """Base64 with its padding, of either alphabet."""
    for decode in (decode_standard, decode_url):
        try:
            return decode(text, padded=True)
        except ValueError:
            continue
    raise ValueError("must be base64 with its padding")
