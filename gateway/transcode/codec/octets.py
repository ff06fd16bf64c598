"""Base64 as Go's encoding/base64 reads it: one alphabet at a time, padding as asked, line breaks skipped."""

from base64 import b64decode
from binascii import Error as Base64Error

_LINE_BREAKS = str.maketrans("", "", "\r\n")


def decode_standard(text: str, *, padded: bool) -> bytes:
    """Bytes of the alphabet with `+` and `/`; ValueError when the text is not theirs."""
    text = text.translate(_LINE_BREAKS)
    if not padded:
        if "=" in text:
            raise ValueError("padding stands where none is due")
        text += "=" * (-len(text) % 4)
    try:
        return b64decode(text, validate=True)
    except Base64Error as error:
        raise ValueError(str(error)) from None


def decode_url(text: str, *, padded: bool) -> bytes:
    """Bytes of the alphabet with `-` and `_`; ValueError when the text is not theirs."""
    if "+" in text or "/" in text:
        raise ValueError("two alphabets are mixed")
    return decode_standard(text.replace("-", "+").replace("_", "/"), padded=padded)
