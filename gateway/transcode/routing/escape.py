"""Percent escapes of a path, as a profile has them decoded.

Paths are kept as text of one character per byte (latin-1) until a variable's value is complete; `as_text` then reads it
as UTF-8, so that a character may be written with escapes or without.
"""

import re
from collections.abc import Callable

from gateway.transcode.profile import Decoding, Profile

Unescape = Callable[[str], str]

_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
# RFC 3986 "reserved"; AllExceptReserved keeps these escaped where a variable spans several segments.
_RESERVED = frozenset("!#$&'()*+,/:;=?@[]")
_KEPT_IN_MANY = {
    Decoding.ALL_EXCEPT_RESERVED: _RESERVED,
    Decoding.ALL_EXCEPT_SLASH: frozenset("/"),
    Decoding.ALL_CHARACTERS: frozenset[str](),
}
_SLASH_OR_ESCAPED = re.compile("/|%2F")
# What Go's net/url leaves alone when it writes a path; everything else it escapes with upper-case digits.
_PLAIN_IN_PATHS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~$&+,/:;=@")


class EscapeError(ValueError):
    """A percent escape is broken, or the decoded bytes are not UTF-8."""


def unescaper(decoding: Decoding, *, many: bool) -> Unescape:
    """How the text that one wildcard captured is decoded; `many` segments may keep some escapes."""
    if decoding is Decoding.LEGACY:
        return lambda text: text
    kept = _KEPT_IN_MANY[decoding] if many else frozenset[str]()
    return lambda text: _decode(text, kept)


def decode_path(path: str) -> str:
    """Decode every escape of a whole path; raises EscapeError for a broken one."""
    return _decode(path, frozenset())


class PathSplitter:
    """Splits a path (one character per byte) into the components that templates are held against."""

    def __init__(self, profile: Profile) -> None:
        self._decodes_first = profile.decoding is Decoding.LEGACY
        self._decodes_twice = profile.decodes_canonical_paths_twice
        self._escapes_separate = profile.decoding is Decoding.ALL_CHARACTERS

    def __call__(self, path: str) -> list[str]:
        """The components behind the leading slash; raises EscapeError for a broken escape anywhere."""
        if "%" in path:
            decoded = decode_path(path)
            if self._decodes_first or (self._decodes_twice and _write_path(decoded) == path):
                path = decoded
            if self._escapes_separate:
                return _SLASH_OR_ESCAPED.split(path[1:])
        return path[1:].split("/")


def _write_path(decoded: str) -> str:
    """How Go writes a decoded path. Where the request was written just so, Go forgets that it was written at all."""
    return "".join(_written(character) for character in decoded)


def _written(character: str) -> str:
    return character if character in _PLAIN_IN_PATHS else f"%{ord(character):02X}"


def as_text(captured: str) -> str:
    """Bytes as latin-1 read as UTF-8; raises EscapeError when they are not."""
    if captured.isascii():
        return captured
    try:
        return captured.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        raise EscapeError("malformed path escape: the decoded text is not UTF-8") from None


def _decode(text: str, kept: frozenset[str]) -> str:
    if "%" not in text:
        return text
    broken = _BROKEN.search(text)
    if broken is not None:
        raise EscapeError(f'malformed path escape "{broken.group()}"')
    return _ESCAPE.sub(lambda found: _decoded(found, kept), text)


def _decoded(found: re.Match[str], kept: frozenset[str]) -> str:
    character = chr(int(found.group(1), 16))
    return found.group() if character in kept else character
