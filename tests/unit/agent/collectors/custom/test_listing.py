"""Which files of the folder are run: only those that nobody else could have put there."""

import os
from pathlib import Path

import pytest

from agent.collectors.custom.listing import MAX_FILES, list_folder

USER = os.geteuid()


def _script(folder: Path, name: str = "job", mode: int = 0o755) -> Path:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "custom"
    folder.mkdir(mode=0o755)
    return folder


def test_executables_and_text_files_are_listed_by_name_and_the_rest_is_passed_over(folder: Path) -> None:
    _script(folder, "b")
    _script(folder, "a.prom", 0o644)
    for name in (".hidden", "README.md", "b~"):
        _script(folder, name)
    found = list_folder(folder, required=False, user=USER)

    assert [(one.name, one.is_text, one.fault) for one in found] == [("a.prom", True, ""), ("b", False, "")]


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_what_others_may_write_to_is_not_run(folder: Path, mode: int) -> None:
    path = _script(folder, mode=mode)
    (found,) = list_folder(folder, required=False, user=USER)

    assert found.fault == f"is not run: others may write to {path}; chmod go-w it."


@pytest.mark.skipif(USER != 0, reason="only root can give files away")
def test_what_belongs_to_another_user_is_not_run(folder: Path) -> None:
    path = _script(folder)
    os.chown(path, 12345, 0)
    (found,) = list_folder(folder, required=False, user=USER)

    assert found.fault == f"is not run: {path} belongs to user 12345; chown it to root."


def test_nothing_is_run_from_a_folder_that_others_may_write_to(folder: Path) -> None:
    _script(folder)
    _script(folder, "a.prom", 0o644)
    folder.chmod(0o777)
    text, script = list_folder(folder, required=False, user=USER)

    assert text.fault == ""
    assert script.fault == f"is not run: others may write to {folder}; chmod go-w it."


def test_a_link_is_followed_and_its_target_judged(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (folder / "linked").symlink_to(_script(elsewhere))
    (before,) = list_folder(folder, required=False, user=USER)
    elsewhere.chmod(0o777)
    (after,) = list_folder(folder, required=False, user=USER)

    assert (before.fault, after.fault) == ("", f"is not run: others may write to {elsewhere}; chmod go-w it.")


def test_what_can_not_be_run_is_told_with_the_fix(folder: Path) -> None:
    _script(folder, "plain", 0o644)
    (folder / "folder").mkdir()
    (folder / "gone").symlink_to(folder / "nowhere")
    faults = [one.fault for one in list_folder(folder, required=False, user=USER)]

    assert faults[0] == "is no file; put executables and .prom files here."
    assert faults[1].startswith("FileNotFoundError")
    assert faults[2].startswith("is not executable; chmod +x it, or call it plain.prom")


def test_a_folder_that_is_not_there_is_a_failure_only_where_it_was_asked_for(folder: Path) -> None:
    assert list_folder(folder / "none", required=False, user=USER) == ()
    with pytest.raises(FileNotFoundError):
        list_folder(folder / "none", required=True, user=USER)


def test_too_many_files_are_refused(folder: Path) -> None:
    for number in range(MAX_FILES + 1):
        _script(folder, f"{number}.prom")

    with pytest.raises(ValueError, match=f"holds {MAX_FILES + 1} files; {MAX_FILES} at most"):
        list_folder(folder, required=False, user=USER)
