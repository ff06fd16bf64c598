"""Identifiers: UUID version 7 (RFC 9562, section 5.7), whose order is the order of their making."""

import secrets
import time
import uuid


def new_id() -> uuid.UUID:
    """A new UUIDv7: 48 bits of milliseconds since the Unix epoch, then 74 random bits."""
    millis = time.time_ns() // 1_000_000
    value = millis << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return uuid.UUID(int=value)


def parse_id(text: str) -> uuid.UUID | None:
    """The UUID that `text` writes in its canonical form, or None when it writes none."""
    try:
        value = uuid.UUID(text)
    except ValueError:
        return None
    return value if str(value) == text.lower() else None


def pushed_source(server_id: uuid.UUID) -> uuid.UUID:
    """Under which id samples that were pushed to a server are stored, beside those of its agent; and back again.

    The same UUID with the bits of its version turned over: 7 becomes 8, which RFC 9562 leaves to everybody's own use.
    """
    return uuid.UUID(int=server_id.int ^ 0xF << 76)
