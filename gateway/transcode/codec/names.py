"""Field paths of a FieldMask between their JSON spelling (lowerCamelCase) and their proto spelling (snake_case)."""

import re

_SNAKE = re.compile(r"_([a-z])")
_UPPER = re.compile(r"[A-Z]")
_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


def camel_path(path: str) -> str:
    """`server.display_name` as `server.displayName`; ValueError if the way back would differ."""
    camel = _SNAKE.sub(lambda found: found.group(1).upper(), path)
    if _snake(camel) != path:
        raise ValueError(f"the path {path!r} has no JSON spelling")
    return camel


def snake_path(path: str) -> str:
    """`server.displayName` as `server.display_name`; ValueError if it is no path."""
    if "_" in path or _PATH.fullmatch(path) is None:
        raise ValueError(f"{path!r} is no field path in lowerCamelCase")
    return _snake(path)


def _snake(path: str) -> str:
    return _UPPER.sub(lambda found: "_" + found.group().lower(), path)
