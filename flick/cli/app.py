"""The `flick` command: a client of the API, and the launcher's front door."""

import os
import sys
from importlib.metadata import version as installed_version
from typing import Annotated

import typer

from flick.cli import account, changes, delivery, groups, join_tokens, local, organization, servers, show
from flick.cli.failure import CliError, ExitCode
from flick.cli.invocation import Invocation
from flick.cli.push import push
from flick.cli.query import query
from flick.cli.stats import stats
from flick.cli.top.command import top
from flick.config import ConfigError

_EPILOG = (
    "Exit codes: 0 done, 1 an error, 2 wrong usage, 3 not signed in, 4 not found or not allowed, 130 interrupted. "
    "Results go to standard output, everything else to standard error."
)

app = typer.Typer(
    name="flick",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)
app.command()(local.up)
app.command()(local.doctor)
app.command()(account.login)
app.command()(account.logout)
app.command()(account.whoami)
servers.app.command()(delivery.delivery)
servers.app.command("set")(changes.change)
servers.app.command()(show.show)
app.add_typer(servers.app, name="servers")
app.add_typer(groups.app, name="groups")
app.add_typer(organization.app, name="organization")
app.add_typer(join_tokens.app, name="join-tokens")
app.command()(top)
app.command()(query)
app.command()(push)
app.command()(stats)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"flick {installed_version('flick')}")
        raise typer.Exit


@app.callback()
def flick(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Watch servers: start FLick, sign in, and see what they do."""


def main() -> None:
    """Run the command line and end the process."""
    try:
        app(obj=Invocation(environ=os.environ))
    except CliError as error:
        _fail(error.text, error.code)
    except ConfigError as error:
        _fail(str(error), ExitCode.USAGE)


def _fail(text: str, code: ExitCode) -> None:
    sys.stderr.write(f"flick: {text}\n")
    sys.exit(code)
