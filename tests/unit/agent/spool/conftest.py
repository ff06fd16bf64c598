"""A spool of each kind for every test that asks for `make`."""

from pathlib import Path

import pytest

from tests.unit.agent.spool.spools import (
    Make,
    in_memory,
    on_disk,
)


@pytest.fixture(params=["memory", "disk"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    return in_memory if request.param == "memory" else lambda limits: on_disk(tmp_path / "spool.db", limits)
