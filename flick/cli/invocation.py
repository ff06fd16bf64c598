"""What a command is given: the settings of the environment, where credentials are, how results are shown."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flick.cli.credentials import CredentialStore
from flick.cli.session import Session
from flick.cli.url import DEFAULT_URL, checked_url
from flick.config import load, setting

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Url = Annotated[
    str, typer.Option(help="The gateway. Without it FLICK_URL, else where you signed in last.", metavar="URL")
]


@dataclass(frozen=True, kw_only=True)
class CliConfig:
    """What the environment says."""

    url: str = setting("FLICK_URL", default="")
    """The gateway. Absent: where the user signed in last."""
    credentials_file: str = setting("FLICK_CREDENTIALS_FILE", default="")
    """Absent: credentials.json in the user's folder for configuration."""


class Invocation:
    """One run of the command."""

    def __init__(self, *, environ: Mapping[str, str]) -> None:
        self.environ = environ

    @property
    def config(self) -> CliConfig:
        """The settings. Raises ConfigError for a misspelt one."""
        return load(CliConfig, environ=self.environ)

    @property
    def store(self) -> CredentialStore:
        """Who is signed in where."""
        named = self.config.credentials_file
        return CredentialStore(path=Path(named) if named else self._folder() / "credentials.json")

    def url(self, option: str) -> str:
        """The gateway that is meant: named, else set, else signed in at last, else this machine's own."""
        return checked_url(option or self.config.url or self.store.current_url() or DEFAULT_URL)

    def session(self, option: str) -> Session:
        """The calls of the user signed in there."""
        return Session(store=self.store, url=self.url(option))

    def _folder(self) -> Path:
        named = self.environ.get("XDG_CONFIG_HOME", "")
        # The XDG specification tells to ignore relative paths.
        return (Path(named) if named.startswith("/") else Path.home() / ".config") / "flick"


def invocation(context: typer.Context) -> Invocation:
    """The run that a command belongs to."""
    found = context.find_object(Invocation)
    assert found is not None
    return found


def show_json(value: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def show_table(columns: Sequence[str], rows: Sequence[Sequence[Text | str]]) -> None:
    """Print rows under headings; plain text where the output is no terminal. Nothing in a cell is taken as markup."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row))
    console.print(table)


def printable(text: str) -> str:
    """Names come from other machines; nothing in them may steer the terminal."""
    return "".join(sign if sign.isprintable() else "�" for sign in text)


def say(text: str) -> None:
    """Print a result in words."""
    sys.stdout.write(printable(text) + "\n")


_PIPE_WIDTH = 400  # a program that reads the table wants whole words
