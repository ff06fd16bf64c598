"""SQL files: names and sentences."""

from pathlib import Path

import pytest

from flick.db.queries import load_queries


def _file(folder: Path, text: str) -> Path:
    path = folder / "queries.sql"
    path.write_text(text)
    return path


def test_queries_are_found_by_name(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        "-- What this file is about.\n\n"
        "-- name: get_server\n-- One server.\nselect 1\nfrom servers;\n\n"
        "-- name: list_servers\n-- All of them,\n-- by name.\nselect 2; -- and more\n",
    )

    assert load_queries(path) == {"get_server": "select 1\nfrom servers", "list_servers": "select 2; -- and more"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-- name: get_server\nselect 1;", "no sentence"),
        ("-- name: get_server\n\n-- One server.\nselect 1;", "no sentence"),
        ("-- name: get_server\n-- One server.\n", "no statement"),
        ("-- name: a\n-- One.\nselect 1;\n-- name: a\n-- Two.\nselect 2;", "comes twice"),
        ("-- name: get server\n-- One.\nselect 1;", "line 1: 'get server' is no name"),
        ("select 1;", "line 1: a statement without a name"),
    ],
)
def test_a_file_that_breaks_the_form_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = _file(tmp_path, text)

    with pytest.raises(ValueError, match=complaint):
        load_queries(path)
