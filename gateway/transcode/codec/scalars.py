"""Single values of scalar and enum fields, from JSON and to JSON.

Reading is strict as Go's protojson is, and every reader raises JsonError.
"""

import re
from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from gateway.transcode.codec.fault import JsonError
from gateway.transcode.codec.numbers import FLOAT_OVERFLOW, finite_double, finite_float, json_double, json_float
from gateway.transcode.codec.octets import decode_standard, decode_url
from gateway.transcode.marshal.formats import Json

Read = Callable[[Any], Any]
Write = Callable[[Any], Any]

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,6})?", re.ASCII)
_INTEGER_DIGITS = 20  # no 64-bit integer has more
_SPECIAL = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
INTEGER_RANGES = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SFIXED32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SINT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: (0, 2**64 - 1),
}


class Dropped:
    """The mark of a value that is ignored: an enum name that this build does not know."""


DROPPED = Dropped()


def reader(field: FieldDescriptor) -> Read:
    """The converter for one value of a scalar or enum field."""
    if field.enum_type is not None:
        return _enum_reader(field.enum_type)
    if field.type in INTEGER_RANGES:
        return integer(*INTEGER_RANGES[field.type])
    return _READERS[field.type]


def writer(field: FieldDescriptor, *, style: Json) -> Write | None:
    """The converter of one value of a scalar or enum field to JSON; None where the value is JSON already."""
    if field.enum_type is not None:
        return _enum_writer(field.enum_type, numbers=style.use_enum_numbers)
    return _WRITERS.get(field.type)


def bare_writer(field: FieldDescriptor, *, style: Json) -> Write | None:
    """The same for a value that is a whole answer, which grpc-gateway writes as Go's own JSON does: 64-bit integers are
    numbers, and NaN and the infinities have no form (ValueError)."""
    if field.enum_type is not None:
        return _enum_writer(field.enum_type, numbers=style.use_enum_numbers)
    return _BARE_WRITERS.get(field.type)


def integer(low: int, high: int) -> Read:
    """Integers between `low` and `high`, as JSON number or string."""

    def read(value: Any) -> int:
        number = value if type(value) is int else _integral(value)
        if not low <= number <= high:
            raise JsonError(f"must be between {low} and {high}")
        return number

    return read


def _integral(value: Any) -> int:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        exact = Decimal(value)
        if exact.adjusted() < _INTEGER_DIGITS and exact == exact.to_integral_value():
            return int(exact)
    elif isinstance(value, float) and value.is_integer():
        return int(value)
    raise JsonError("must be an integer, as a number or a string")


def double(value: Any) -> float:
    """A double, as JSON number, numeric string, or one of `NaN`, `Infinity`, `-Infinity`."""
    if isinstance(value, str) and value in _SPECIAL:
        return _SPECIAL[value]
    return _finite(value)


def _finite(value: Any) -> float:
    if type(value) is float or type(value) is int or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        try:
            number = float(value)
        except OverflowError:
            number = float("inf")
        if number - number == 0.0:
            return number
        raise JsonError("is too large for a floating-point number")
    raise JsonError("must be a number")


def _float(value: Any) -> float:
    number = double(value)
    if abs(number) >= FLOAT_OVERFLOW and number - number == 0.0:
        raise JsonError("is too large for a 32-bit floating-point number")
    return number


def boolean(value: Any) -> bool:
    """`true` or `false`, nothing else."""
    if value is True or value is False:
        return value
    raise JsonError("must be true or false")


def string(value: Any) -> str:
    """Text without lone surrogates."""
    if not isinstance(value, str):
        raise JsonError("must be a string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise JsonError("holds half a surrogate pair, which is no text") from None
    return value


def octets(value: Any) -> bytes:
    """Bytes in base64 of either alphabet; padded when the length is a multiple of four, else not."""
    if not isinstance(value, str):
        raise JsonError("must be base64 text")
    decode = decode_url if "-" in value or "_" in value else decode_standard
    try:
        return decode(value, padded=len(value) % 4 == 0)
    except ValueError:
        raise JsonError("must be base64 text") from None


def _enum_reader(enum: EnumDescriptor) -> Read:
    numbers: dict[str, int] = {value.name: value.number for value in enum.values}
    as_number = integer(*INTEGER_RANGES[FieldDescriptor.TYPE_INT32])
    null_value = enum.full_name == "google.protobuf.NullValue"
    closed = enum.is_closed
    known = frozenset(numbers.values())

    def read(value: Any) -> int | Dropped:
        if isinstance(value, str):
            return numbers.get(value, DROPPED)
        if null_value and value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise JsonError("must be the name of a value, or its number")
        number: int = as_number(value)
        return DROPPED if closed and number not in known else number

    return read


def _enum_writer(enum: EnumDescriptor, *, numbers: bool) -> Write | None:
    if enum.full_name == "google.protobuf.NullValue":
        return lambda _: None
    if numbers:
        return None
    names = {value.number: value.name for value in reversed(enum.values)}
    return lambda number: names.get(number, number)


_READERS: dict[int, Read] = {
    FieldDescriptor.TYPE_DOUBLE: double,
    FieldDescriptor.TYPE_FLOAT: _float,
    FieldDescriptor.TYPE_BOOL: boolean,
    FieldDescriptor.TYPE_STRING: string,
    FieldDescriptor.TYPE_BYTES: octets,
}
_WRITERS: dict[int, Write] = {
    FieldDescriptor.TYPE_INT64: str,
    FieldDescriptor.TYPE_UINT64: str,
    FieldDescriptor.TYPE_SINT64: str,
    FieldDescriptor.TYPE_FIXED64: str,
    FieldDescriptor.TYPE_SFIXED64: str,
    FieldDescriptor.TYPE_DOUBLE: json_double,
    FieldDescriptor.TYPE_FLOAT: json_float,
    FieldDescriptor.TYPE_BYTES: lambda value: b64encode(value).decode("ascii"),
}
_BARE_WRITERS: dict[int, Write] = {
    FieldDescriptor.TYPE_DOUBLE: finite_double,
    FieldDescriptor.TYPE_FLOAT: finite_float,
    FieldDescriptor.TYPE_BYTES: _WRITERS[FieldDescriptor.TYPE_BYTES],
}
