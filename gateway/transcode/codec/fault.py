"""What is wrong with a JSON value, and where."""

MAX_DEPTH = 100
"""Levels of messages in messages; the binary parsers of the backends accept no more."""


class JsonError(ValueError):
    """A value does not fit its field. `path` is the way to it in the request's own spelling, outermost first."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str] = []

    def within(self, name: str) -> "JsonError":
        """The same fault seen from the value that holds it under `name`."""
        self.path.insert(0, name)
        return self

    @property
    def field(self) -> str:
        """The path with dots, `items[3].name`; empty for the whole value."""
        return ".".join(self.path).replace(".[", "[")


def check_depth(depth: int) -> None:
    """Refuse a message at `depth` (0 is the outermost) that no backend could parse."""
    if depth >= MAX_DEPTH:
        raise JsonError(f"is nested deeper than {MAX_DEPTH} messages")
