"""Takes the JSON values out of a body that arrives in pieces: one behind the other, with white space or without."""

import re

_STRUCTURE = re.compile(rb'["{}\[\]]')
_IN_STRING = re.compile(rb'["\\]')
_SPACE = b" \t\r\n"
_SCALAR_END = re.compile(rb'[ \t\r\n"{}\[\],]')


class JsonSplitter:
    """Feed it pieces; it gives back the bytes of each value that is complete. It does not judge them."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._seen = 0
        self._depth = 0
        self._in_string = False

    @property
    def waiting_bytes(self) -> int:
        """How much of an incomplete value is kept."""
        return len(self._buffer)

    def feed(self, piece: bytes) -> list[bytes]:
        """The values that `piece` completes."""
        self._buffer += piece
        values = []
        while (value := self._next()) is not None:
            values.append(value)
        return values

    def finish(self) -> bytes:
        """What is left at the end: a scalar, a value that was broken off, or nothing."""
        rest = bytes(self._buffer).strip(_SPACE)
        self._cut(len(self._buffer))
        return rest

    def _next(self) -> bytes | None:
        if self._seen == 0:
            del self._buffer[: len(self._buffer) - len(self._buffer.lstrip(_SPACE))]
            if not self._buffer:
                return None
            if self._buffer[0] not in b'{["':
                return self._scalar()
        end = self._end()
        return None if end is None else self._cut(end)

    def _scalar(self) -> bytes | None:
        found = _SCALAR_END.search(self._buffer, 1)
        return None if found is None else self._cut(found.start())

    def _end(self) -> int | None:
        """Where the value ends that begins the buffer, or None as long as that is not there."""
        while True:
            if self._in_string:
                found = _IN_STRING.search(self._buffer, self._seen)
                if found is None:
                    self._seen = len(self._buffer)
                    return None
                if found.group() == b"\\":
                    if found.end() == len(self._buffer):
                        self._seen = found.start()
                        return None
                    self._seen = found.end() + 1
                    continue
                self._in_string = False
            else:
                found = _STRUCTURE.search(self._buffer, self._seen)
                if found is None:
                    self._seen = len(self._buffer)
                    return None
                self._note(found.group())
            self._seen = found.end()
            if self._depth <= 0 and not self._in_string:
                return self._seen

    def _note(self, mark: bytes) -> None:
        if mark == b'"':
            self._in_string = True
        else:
            self._depth += 1 if mark in b"{[" else -1

    def _cut(self, end: int) -> bytes:
        value = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._seen = self._depth = 0
        self._in_string = False
        return value
