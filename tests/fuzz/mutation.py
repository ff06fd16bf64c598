"""Spoils frames: their bytes without knowing what they mean, and their fields knowing which values are absurd."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from tests.fuzz.material import Request

MAX_BYTES = 256 * 1024  # several spoilt frames a second are worth more than one that is large
_ABSURD_INTEGERS = (-(2**63), -(2**31), -1, 0, 1, 7, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
_ABSURD_NUMBERS = (float("nan"), float("inf"), float("-inf"), -1.0, -0.0, 5e-324, 3.5e38, 1e300, 1.7976931348623157e308)
_ABSURD_TEXTS = ("", "\0", "x" * 70_000, "\N{REPLACEMENT CHARACTER}", "𝕏" * 100, "'; drop table", "\ud7ff")
_ABSURD_BYTES = (b"", b"\0", b"\xff" * 9, b"\x0a\x80", b"\xa3\x06" * 200, b"x" * 70_000)
_VARINTS = (b"\x00", b"\x7f", b"\xff\x01", b"\xff\xff\xff\xff\x0f", b"\xff" * 9 + b"\x01", b"\x80" * 11)
_DEPTH = 5
_STRING = FieldDescriptor.CPPTYPE_STRING

Spoil = Callable[[random.Random, bytes], bytes]


def spoilt(rng: random.Random, frame: bytes, *, others: Sequence[bytes]) -> bytes:
    """A frame spoilt one to six times. `others`: frames of which pieces may come in."""
    for _ in range(rng.randint(1, 6)):
        way = rng.choice((*_WAYS, _spoil_field, _spoil_field, _spoil_field))
        frame = _splice(rng, frame, rng.choice(others)) if rng.random() < 0.1 else way(rng, frame)
        frame = frame[:MAX_BYTES]  # at once, or what is repeated is repeated again
    return frame


def _flip(rng: random.Random, frame: bytes) -> bytes:
    if not frame:
        return frame
    place = rng.randrange(len(frame))
    return frame[:place] + bytes([frame[place] ^ 1 << rng.randrange(8)]) + frame[place + 1 :]


def _cut(rng: random.Random, frame: bytes) -> bytes:
    first, last = _range(rng, frame)
    return frame[:first] + frame[last:]


def _end(rng: random.Random, frame: bytes) -> bytes:
    return frame[: rng.randrange(len(frame) + 1)]


def _repeat(rng: random.Random, frame: bytes) -> bytes:
    first, last = _range(rng, frame)
    return frame[:last] + frame[first:last] * rng.choice((1, 1, 2, 50)) + frame[last:]


def _insert(rng: random.Random, frame: bytes) -> bytes:
    place = rng.randrange(len(frame) + 1)
    return frame[:place] + rng.choice((*_VARINTS, rng.randbytes(rng.randint(1, 20)))) + frame[place:]


def _range(rng: random.Random, frame: bytes) -> tuple[int, int]:
    first = rng.randrange(len(frame) + 1)
    return first, min(len(frame), first + rng.randint(1, 40))


_WAYS: tuple[Spoil, ...] = (_flip, _flip, _cut, _end, _repeat, _insert)


def _splice(rng: random.Random, frame: bytes, other: bytes) -> bytes:
    return frame[: rng.randrange(len(frame) + 1)] + other[rng.randrange(len(other) + 1) :]


def _spoil_field(rng: random.Random, frame: bytes) -> bytes:
    """One field, at any depth, gets an absurd value. Bytes that are no frame stay as they are."""
    try:
        request = Request.FromString(frame)
    except DecodeError:
        return frame
    message: Message = request
    for _ in range(rng.randint(1, _DEPTH)):
        inner = _messages_of(message)
        if not inner:
            break
        message = rng.choice(inner)
    fields: Sequence[Any] = message.DESCRIPTOR.fields
    field = rng.choice(fields)
    if field.message_type is None or not field.is_repeated:
        _set(rng, message, field)
    elif not field.message_type.GetOptions().map_entry:
        _multiply(rng, getattr(message, field.name))
    return request.SerializeToString()


def _messages_of(message: Message) -> list[Message]:
    """The messages that stand in this one."""
    found: list[Message] = []
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        found += value if field.is_repeated else [value]
    return found


def _set(rng: random.Random, message: Message, field: FieldDescriptor) -> None:
    if field.message_type is not None:
        message.ClearField(field.name)
    elif field.is_repeated:
        values = getattr(message, field.name)
        values.extend(_absurd(rng, field) for _ in range(3 if field.cpp_type == _STRING else rng.choice((1, 3, 2_000))))
    else:
        setattr(message, field.name, _absurd(rng, field))


def _multiply(rng: random.Random, messages: Any) -> None:
    """Have fewer of them, or many more, the last one again and again."""
    if not messages:
        messages.add()
    elif rng.random() < 0.3:
        del messages[rng.randrange(len(messages)) :]
    else:
        last = messages[-1]
        messages.extend([last] * min(rng.choice((1, 10, 1_100)), 1 + MAX_BYTES // (1 + last.ByteSize())))


def _absurd(rng: random.Random, field: FieldDescriptor) -> Any:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            return rng.choice(_ABSURD_BYTES if field.type == FieldDescriptor.TYPE_BYTES else _ABSURD_TEXTS)
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return rng.choice(_ABSURD_NUMBERS)
        case FieldDescriptor.CPPTYPE_BOOL:
            return rng.random() < 0.5
        case kind:
            first, last = _BOUNDS[kind]
            return rng.choice([number for number in _ABSURD_INTEGERS if first <= number <= last])


_BOUNDS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
