"""What finding a route can come to, whichever way the routes are searched."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from gateway.transcode.routing.template import Template

Target = TypeVar("Target")


class NoRouteError(Exception):
    """No template of any HTTP method matches the path."""


class WrongMethodError(Exception):
    """The path exists, but not for this HTTP method; `allowed` are those it exists for."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__("Method Not Allowed")
        self.allowed = allowed


class BadPathError(Exception):
    """The path has no leading slash."""


class DuplicateRouteError(ValueError):
    """Two routes match exactly the same requests."""


@dataclass(frozen=True, slots=True)
class Match(Generic[Target]):
    """The route found and its variables' values, decoded, in the order of the template."""

    target: Target
    values: tuple[str, ...]


class Router(Protocol[Target]):
    """Routes to search. Build with `add`, then `match`."""

    def add(self, http_method: str, template: Template, target: Target) -> None:
        """Add a route; raises DuplicateRouteError where two may not match the same."""

    def match(self, http_method: str, raw_path: bytes) -> Match[Target]:
        """Find the route of an undecoded path (no query).

        Raises BadPathError, NoRouteError, WrongMethodError, or EscapeError for a broken escape.
        """


def rooted(raw_path: bytes) -> str:
    """The path as text of one character per byte; raises BadPathError without a leading slash."""
    path = raw_path.decode("latin-1")
    if not path.startswith("/"):
        raise BadPathError
    return path


def absence(methods: Iterable[str], exists: Callable[[str], bool]) -> Exception:
    """Why nothing was found: WrongMethodError with the methods for which the path `exists`, else NoRouteError."""
    allowed = tuple(sorted(method for method in methods if exists(method)))
    return WrongMethodError(allowed) if allowed else NoRouteError()
