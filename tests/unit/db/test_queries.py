from pathlib import Path

import pytest

from flick.db.queries import QueryFileError, load_queries


def write(folder: Path, text: str) -> Path:
    path = folder / "queries.sql"
    path.write_text(text)
    return path


def test_queries_are_found_by_name_without_their_sentence(tmp_path: Path) -> None:
    path = write(tmp_path, "-- name: one\n-- Says one.\nselect 1;\n\n-- name: two\n-- Says two.\nselect\n    2;\n")

    assert load_queries(path) == {"one": "select 1", "two": "select\n    2"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("select 1;", "holds no query"),
        ("-- name: one\nselect 1;", "one has no sentence"),
        ("-- name: one\n-- Says one.\n", "one has no statement"),
        ("-- name: one\n-- A.\nselect 1;\n-- name: one\n-- B.\nselect 2;", "one is there twice"),
    ],
)
def test_a_file_that_breaks_the_form_is_refused_by_name(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(QueryFileError, match=complaint):
        load_queries(write(tmp_path, text))
