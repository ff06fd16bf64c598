"""How a command fails: one sentence that says what is wrong and the fix, and an exit code that scripts can rely on."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command ends with. Documented in `flick --help`."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NOT_SIGNED_IN = 3
    NOT_FOUND_OR_DENIED = 4
    INTERRUPTED = 130


class CliError(Exception):
    """A failure that the user can understand. The text is shown on standard error."""

    def __init__(self, text: str, *, code: ExitCode = ExitCode.ERROR) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


def not_signed_in(url: str, *, why: str = "") -> CliError:
    """The user has to sign in first."""
    return CliError(
        f"You are not signed in at {url}{f': {why}' if why else ''}. Run `flick login --url {url}`.",
        code=ExitCode.NOT_SIGNED_IN,
    )
