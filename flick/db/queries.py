"""SQL in files of its own: each query has a name and a sentence that says what it is for."""

from collections.abc import Iterator, Mapping
from pathlib import Path

_NAME = "-- name:"


def load_queries(path: Path) -> Mapping[str, str]:
    """The queries of a file by name.

    A query begins with a line `-- name: get_server`, then one or more comment lines that say what it does, then one
    statement. Comments before the first query are about the file.

    Raises ValueError naming file and query when one has no sentence or no statement, or when a name comes twice.
    """
    queries: dict[str, str] = {}
    for name, lines in _sections(path):
        sentence = [line for line in lines if line.startswith("--")]
        if not lines or lines[0] not in sentence:
            raise ValueError(f"{path}: query {name!r} has no sentence. Write a comment below its name.")
        statement = "\n".join(lines[_comment_length(lines) :]).strip().removesuffix(";")
        if not statement:
            raise ValueError(f"{path}: query {name!r} has no statement.")
        if name in queries:
            raise ValueError(f"{path}: query {name!r} comes twice.")
        queries[name] = statement
    return queries


def _sections(path: Path) -> Iterator[tuple[str, list[str]]]:
    name, lines = "", list[str]()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith(_NAME):
            if name:
                yield name, lines
            name, lines = line.removeprefix(_NAME).strip(), []
            if not name.isidentifier():
                raise ValueError(
                    f"{path}, line {number}: {name!r} is no name for a query. Write `-- name: get_server`."
                )
        elif name:
            lines.append(line)
        elif line.strip() and not line.startswith("--"):
            raise ValueError(
                f"{path}, line {number}: a statement without a name. Write `-- name: get_server` above it."
            )
    if name:
        yield name, lines


def _comment_length(lines: list[str]) -> int:
    return next((index for index, line in enumerate(lines) if not line.startswith("--")), len(lines))
