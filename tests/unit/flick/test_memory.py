"""What was freed goes back to the system."""

import platform
import sys

import pytest

from flick.memory import give_back, resident_bytes

MIB = 1024 * 1024


@pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="other C libraries give back by themselves"
)
def test_what_was_freed_in_pieces_is_given_back() -> None:
    give_back()
    before = resident_bytes()
    pieces = [bytes(2000) for _ in range(32 * 1024)]
    held = resident_bytes()
    last = pieces[-1]  # the heap can't shrink from its end
    del pieces
    give_back()

    assert held - before > 32 * MIB
    assert resident_bytes() - before < (held - before) / 2
    assert len(last) == 2000
