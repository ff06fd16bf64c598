"""Texts that people give: names, e-mail addresses, passwords."""

import unicodedata

from flick.errors import invalid

MAX_NAME_LENGTH = 100
MAX_DESCRIPTION_LENGTH = 1000
MAX_EMAIL_LENGTH = 320  # RFC 3696: 64 before the @, 255 after it
MAX_PASSWORD_BYTES = 1024  # hashing takes time in proportion
MIN_NEW_PASSWORD_LENGTH = 8  # NIST SP 800-63B


def display_name(text: str, *, field: str) -> str:
    """A name without blanks around it. Raises INVALID_ARGUMENT unless it has 1 to 100 printable characters."""
    name = optional_display_name(text, field=field)
    if not name:
        raise invalid(field, f"is empty; give 1 to {MAX_NAME_LENGTH} characters.")
    return name


def optional_display_name(text: str, *, field: str) -> str:
    """As `display_name`, but it may be empty."""
    return plain_text(text, field=field, max_length=MAX_NAME_LENGTH)


def plain_text(text: str, *, field: str, max_length: int) -> str:
    """One line of text without blanks around it.

    Raises INVALID_ARGUMENT when it is too long or has control characters.
    """
    text = text.strip()
    if len(text) > max_length:
        raise invalid(field, f"has {len(text)} characters; give at most {max_length}.")
    if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in text):
        raise invalid(field, "has control characters; leave them out.")
    return text


def description(text: str, *, field: str) -> str:
    """A text of several lines without blanks around it.

    Raises INVALID_ARGUMENT when it is too long or has control characters.
    """
    text = text.replace("\r\n", "\n").strip()
    if len(text) > MAX_DESCRIPTION_LENGTH:
        raise invalid(field, f"has {len(text)} characters; give at most {MAX_DESCRIPTION_LENGTH}.")
    if any(unicodedata.category(letter) == "Cc" and letter not in "\n\t" for letter in text):
        raise invalid(field, "has control characters; leave them out.")
    return text


def email(text: str) -> str:
    """An e-mail address as it is stored. Raises INVALID_ARGUMENT when it can't be one."""
    address = plain_text(text, field="email", max_length=MAX_EMAIL_LENGTH)
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or " " in address:
        raise invalid("email", "is no e-mail address; give one like name@example.org.")
    return address


def password(text: str) -> bytes:
    """A password's bytes, the same from every keyboard (NFC, RFC 8265).

    Raises INVALID_ARGUMENT when it is empty or too long.
    """
    if not text:
        raise invalid("password", "is empty.")
    if len(text) > MAX_PASSWORD_BYTES:  # before any work; a character has at least one byte
        raise _password_too_long()
    encoded = unicodedata.normalize("NFC", text).encode()
    if len(encoded) > MAX_PASSWORD_BYTES:
        raise _password_too_long()
    return encoded


def new_password(text: str) -> bytes:
    """As `password`, for one that is being set. Raises INVALID_ARGUMENT also when it has less than 8 characters."""
    if len(text) < MIN_NEW_PASSWORD_LENGTH:
        raise invalid("password", f"has {len(text)} characters; give at least {MIN_NEW_PASSWORD_LENGTH}.")
    return password(text)


def _password_too_long() -> Exception:
    return invalid("password", f"is longer than {MAX_PASSWORD_BYTES} bytes.")
