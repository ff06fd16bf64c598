"""A part's log stays bounded and keeps its end."""

from pathlib import Path

from deploy.local.supervision.part_log import PartLog


def test_a_full_file_is_rotated_and_the_oldest_goes(tmp_path: Path) -> None:
    with PartLog(path=tmp_path / "part.log", max_bytes=10, kept_files=2) as log:
        for number in range(6):
            log.write(f"line {number}\n".encode())
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}

    assert kept == {"part.log": "line 5\n", "part.log.1": "line 4\n", "part.log.2": "line 3\n"}


def test_what_an_earlier_launcher_wrote_is_kept(tmp_path: Path) -> None:
    for text in (b"first\n", b"second\n"):
        with PartLog(path=tmp_path / "part.log") as log:
            log.write(text)

    assert (tmp_path / "part.log").read_text() == "first\nsecond\n"


def test_the_last_lines_begin_anew_after_forget(tmp_path: Path) -> None:
    with PartLog(path=tmp_path / "part.log") as log:
        log.write(b"old\n")
        log.forget()
        log.write(b"a\nb\nc\n")

        assert log.last_lines(2) == ["b", "c"]
