"""Folders for tests that start servers under another account."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """An empty folder below which other accounts can be given folders: unlike `tmp_path` it is not mode 0700."""
    folder = Path(tempfile.mkdtemp(prefix="flick-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
