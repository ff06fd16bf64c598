"""Small files of /sys and of control groups. They come and go with what they tell of, so none stays open."""

import os

_MAX_BYTES = 65_536
_SHORT = 2048  # what is longer the kernel may hand out in pieces of up to a page


def read(path: str) -> str:
    """The contents, 64 KiB at most, without the blanks around them. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = piece = os.read(fd, _MAX_BYTES)
        while len(data) > _SHORT and piece and len(data) < _MAX_BYTES:
            piece = os.read(fd, _MAX_BYTES - len(data))
            data += piece
        return data.decode(errors="replace").strip()
    finally:
        os.close(fd)


def read_or_none(path: str) -> str | None:
    """The same; None when there is no such file, or the system does not tell now."""
    try:
        return read(path)
    except OSError:
        return None


def number_or_none(path: str) -> int | None:
    """The file's one whole number; None when there is none."""
    text = read_or_none(path)
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def names_in(folder: str) -> tuple[str, ...]:
    """The names in a folder, in order; none when there is no such folder. Raises OSError when it can't be listed."""
    try:
        return tuple(sorted(os.listdir(folder)))  # noqa: PTH208 - names are needed, no Paths
    except (FileNotFoundError, NotADirectoryError):
        return ()
