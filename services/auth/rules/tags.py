"""Tags of servers: free words, `key` or `key:value`, that people write alike whatever their keyboard or case."""

import unicodedata
from collections.abc import Iterable, Sequence

from flick.errors import invalid

MAX_TAGS = 16  # every one is shown in lists and searched by filters
MAX_LENGTH = 50
_FURTHER = frozenset("-_./@")


def checked_tags(texts: Sequence[str], *, field: str) -> list[str]:
    """The tags in lower case (NFC), each once, in order. Raises INVALID_ARGUMENT naming the tag and its fix."""
    tags = {_tag(text, field=f"{field}[{index}]") for index, text in enumerate(texts)}
    return bounded(tags, field=field)


def bounded(tags: Iterable[str], *, field: str) -> list[str]:
    """The tags in order. Raises INVALID_ARGUMENT when they are too many for one server."""
    ordered = sorted(tags)
    if len(ordered) > MAX_TAGS:
        raise invalid(field, f"makes {len(ordered)} tags; a server has at most {MAX_TAGS}.")
    return ordered


def _tag(text: str, *, field: str) -> str:
    if len(text) > 4 * MAX_LENGTH:  # before any work
        raise invalid(field, f"has {len(text)} characters; give at most {MAX_LENGTH}.")
    tag = unicodedata.normalize("NFC", text.strip().lower())
    if not tag:
        raise invalid(field, "is empty; give a word, or leave it out.")
    if len(tag) > MAX_LENGTH:
        raise invalid(field, f"has {len(tag)} characters; give at most {MAX_LENGTH}.")
    parts = tag.split(":")
    if len(parts) > 2 or not all(parts):
        raise invalid(field, f"is {tag!r}; write `key` or `key:value`.")
    for letter in tag:
        if letter not in _FURTHER and letter != ":" and unicodedata.category(letter)[0] not in "LMN":
            raise invalid(field, f"has {letter!r}; use letters, digits and {' '.join(sorted(_FURTHER))} only.")
    return tag
