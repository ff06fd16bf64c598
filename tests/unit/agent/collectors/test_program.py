"""Programs that are asked: what they answer, and what is told of those that fail."""

import pytest

from agent.collectors.program import ask_program


def test_what_a_program_writes_is_its_answer() -> None:
    assert ask_program(["sh", "-c", "echo 7; echo noise >&2"], within_s=30) == "7\n"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        pytest.param("echo out; echo why >&2; exit 3", "sh: why", id="on its error output"),
        pytest.param("echo out; exit 3", "sh: out", id="on its output"),
        pytest.param("exit 3", "sh: exit status 3", id="nowhere"),
    ],
)
def test_a_program_that_fails_is_told_with_what_it_said(script: str, told: str) -> None:
    with pytest.raises(OSError, match=f"^{told}$"):
        ask_program(["sh", "-c", script], within_s=30)


def test_a_program_that_is_slow_or_missing_is_told() -> None:
    with pytest.raises(TimeoutError, match=r"sleep: no answer within 0\.01 s"):
        ask_program(["sleep", "30"], within_s=0.01)
    with pytest.raises(FileNotFoundError):
        ask_program(["no-such-program"], within_s=30)
