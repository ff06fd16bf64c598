"""Floating-point numbers as JSON: shortest text, integral values without a fraction, the three special ones by name."""

from math import isinf, isnan
from struct import Struct

_FLOAT = Struct("<f")
_EXACT = 2.0**53
_EXACT_FLOAT = 2.0**24
# The largest finite float32 is 0x1.fffffep127; from half a step above it a value rounds to infinity.
FLOAT_OVERFLOW = float.fromhex("0x1.ffffffp127")


def json_double(value: float) -> float | int | str:
    """A double as JSON; integral values become int, so that 3 is not spelt 3.0."""
    if value - value != 0.0:
        return special_name(value)
    if value.is_integer() and -_EXACT < value < _EXACT and value != 0.0:
        return int(value)
    return value if value != 0.0 or str(value)[0] == "-" else 0


def json_float(value: float) -> float | int | str:
    """A float32, widened by Python to a double, with the fewest digits that read back as the same float32."""
    if value - value != 0.0 or (value.is_integer() and -_EXACT_FLOAT < value < _EXACT_FLOAT):
        return json_double(value)
    for digits in (6, 7, 8):
        short = float(f"{value:.{digits}g}")
        if _FLOAT.unpack(_FLOAT.pack(short))[0] == value:
            return json_double(short)
    return json_double(float(f"{value:.9g}"))


def finite_double(value: float) -> float | int:
    """A double as JSON number; ValueError for the three that are none."""
    return _finite(json_double(value))


def finite_float(value: float) -> float | int:
    """A float32 as JSON number; ValueError for the three that are none."""
    return _finite(json_float(value))


def _finite(number: float | int | str) -> float | int:
    if isinstance(number, str):
        raise ValueError(f"{number} has no form as JSON number")
    return number


def special_name(value: float) -> str:
    """`NaN`, `Infinity` or `-Infinity`."""
    if isnan(value):
        return "NaN"
    return "Infinity" if isinf(value) and value > 0 else "-Infinity"
