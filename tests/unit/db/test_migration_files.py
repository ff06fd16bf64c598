"""Folders of migrations: order, names, and history that may not change."""

from pathlib import Path

import pytest

from flick.db.migrate.files import MigrationError, choose_pending, read_folder


def _folder(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text(f"select '{name}';")
    return folder


def test_files_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "0002_post_drop_b.sql", "0001_pre_create_a.sql")

    assert [one.name for one in read_folder(folder)] == ["0001_pre_create_a.sql", "0002_post_drop_b.sql"]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["1_pre_a.sql"], "is no name for a migration"),
        (["0001_create_a.sql"], "is no name for a migration"),
        (["0001_pre_a.sql", "0001_pre_b.sql"], "0001_pre_b.sql should be number 0002"),
        (["0001_pre_a.sql", "0003_pre_b.sql"], "0003_pre_b.sql should be number 0002"),
    ],
)
def test_a_name_out_of_order_is_refused(tmp_path: Path, names: list[str], complaint: str) -> None:
    folder = _folder(tmp_path, *names)

    with pytest.raises(MigrationError, match=complaint):
        read_folder(folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="is not a folder"):
        read_folder(tmp_path / "nowhere")


def test_only_what_is_not_applied_is_pending(tmp_path: Path) -> None:
    migrations = read_folder(_folder(tmp_path, "0001_pre_a.sql", "0002_pre_b.sql"))
    applied = {1: migrations[0].checksum}

    assert list(choose_pending(migrations, applied=applied)) == [migrations[1]]


def test_changed_history_is_refused(tmp_path: Path) -> None:
    migrations = read_folder(_folder(tmp_path, "0001_pre_a.sql"))

    with pytest.raises(MigrationError, match=r"0001_pre_a\.sql was changed after it was applied"):
        choose_pending(migrations, applied={1: "another"})


def test_a_database_ahead_of_the_folder_is_refused(tmp_path: Path) -> None:
    migrations = read_folder(_folder(tmp_path, "0001_pre_a.sql"))

    with pytest.raises(MigrationError, match="The database has migration 0002, this version of FLick ends at 0001"):
        choose_pending(migrations, applied={1: migrations[0].checksum, 2: "later"})
