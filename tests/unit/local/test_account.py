"""The unprivileged account and the folders that it must reach."""

import os
from pathlib import Path

import pytest

from deploy.local.errors import LocalError, UnreachableFolderError
from deploy.local.machine.account import Account, database_account, make_private_folder, require_reach

STRANGER = Account(name="stranger", uid=54_321, gid=54_321)


def test_the_database_never_runs_as_root() -> None:
    assert database_account().uid != 0


def test_the_folder_that_shuts_the_account_out_is_named(reachable_dir: Path) -> None:
    (reachable_dir / "closed").mkdir(mode=0o700)

    with pytest.raises(UnreachableFolderError, match=rf"`stranger`, who cannot enter {reachable_dir}/closed on"):
        require_reach(STRANGER, reachable_dir / "closed" / "data")


def test_open_folders_and_folders_still_to_be_made_are_fine(reachable_dir: Path) -> None:
    require_reach(STRANGER, reachable_dir / "new" / "data")


def test_a_folder_that_another_user_made_first_is_refused(reachable_dir: Path) -> None:
    (reachable_dir / "target").mkdir()
    (reachable_dir / "trap").symlink_to(reachable_dir / "target")

    with pytest.raises((LocalError, FileExistsError)):
        make_private_folder(STRANGER, reachable_dir / "trap")
    assert (reachable_dir / "target").stat().st_uid == os.geteuid()
