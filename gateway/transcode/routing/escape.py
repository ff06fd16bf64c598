"""Percent escapes of a path, decoded exactly once."""

import re
from collections.abc import Callable

Unescape = Callable[[str], str]

_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
# RFC 3986 "reserved"; grpc-gateway's AllExceptReserved keeps these escaped where a variable spans several segments.
_RESERVED = frozenset("!#$&'()*+,/:;=?@[]")


class EscapeError(ValueError):
    """A percent escape is broken, or the decoded bytes are not UTF-8."""


def unescape_all(text: str) -> str:
    """Decode every escape of `text` (bytes as latin-1) and read the bytes as UTF-8."""
    return _decode(text, keep=frozenset())


def unescape_unreserved(text: str) -> str:
    """Decode every escape but those of reserved characters, so that `a%2Fb` stays one segment."""
    return _decode(text, keep=_RESERVED)


def _decode(text: str, *, keep: frozenset[str]) -> str:
    if "%" in text:
        broken = _BROKEN.search(text)
        if broken is not None:
            raise EscapeError(f'malformed path escape "{broken.group()}"')
        text = _ESCAPE.sub(lambda found: _decoded(found, keep), text)
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        raise EscapeError("malformed path escape: the decoded text is not UTF-8") from None


def _decoded(found: re.Match[str], keep: frozenset[str]) -> str:
    character = chr(int(found.group(1), 16))
    return found.group() if character in keep else character
