"""SQL by name. A file holds queries that begin with `-- name: NAME` and a line that says in a sentence what they do."""

import re
from collections.abc import Mapping
from pathlib import Path

_NAME = re.compile(r"^-- name: (?P<name>[a-z][a-z0-9_]*)$", re.MULTILINE)


class QueryFileError(Exception):
    """A file of queries breaks the form. The text names the file and the query."""


def load_queries(path: Path) -> Mapping[str, str]:
    """The queries of a file by name. Raises QueryFileError when one lacks a sentence or text or is named twice."""
    text = path.read_text(encoding="utf-8")
    starts = list(_NAME.finditer(text))
    if not starts:
        raise QueryFileError(f"{path.name} holds no query; each begins with `-- name: NAME`.")
    queries: dict[str, str] = {}
    for start, end in zip(starts, [*(match.start() for match in starts[1:]), len(text)], strict=True):
        name = start["name"]
        if name in queries:
            raise QueryFileError(f"{path.name}: {name} is there twice.")
        queries[name] = _statement(path, name, text[start.end() : end])
    return queries


def _statement(path: Path, name: str, text: str) -> str:
    lines = text.strip().splitlines()
    if not lines or not lines[0].startswith("-- "):
        raise QueryFileError(f"{path.name}: {name} has no sentence; write one as a comment below its name.")
    statement = "\n".join(line for line in lines if not line.lstrip().startswith("--")).strip().removesuffix(";")
    if not statement:
        raise QueryFileError(f"{path.name}: {name} has no statement.")
    return statement
