"""Blocks of byte strings: what comes out is what went in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flick.blobs import pack_blobs, unpack_blobs


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_byte_strings_come_out_as_they_were(blobs: list[bytes]) -> None:
    assert unpack_blobs(pack_blobs(blobs)) == blobs


def test_what_repeats_is_written_once() -> None:
    blobs = [b"/usr/bin/postgres --single" + bytes([number]) for number in range(200)]

    assert len(pack_blobs(blobs)) < sum(map(len, blobs)) / 5


BLOCK = pack_blobs([b"one", b"two"])


@pytest.mark.parametrize(
    "damaged", [b"", b"no frame", BLOCK[:-1], pack_blobs([])[:-1], BLOCK[:-6] + bytes([BLOCK[-6] ^ 1]) + BLOCK[-5:]]
)
def test_a_damaged_block_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        unpack_blobs(damaged)
