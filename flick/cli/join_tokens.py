"""`flick join-tokens`: how a new server is let in."""

import re
from typing import Annotated

import typer

from flick.cli.failure import CliError, ExitCode
from flick.cli.invocation import Json, Url, invocation, say, show_json

app = typer.Typer(no_args_is_help=True, help="Tokens by which new servers join.")

MIN_TTL_S, MAX_TTL_S = 60, 3600  # by the contract

_DURATION = re.compile(r"(\d{1,5})(s|m|h)")
_UNIT_S = {"s": 1, "m": 60, "h": 3600}

Name = Annotated[str, typer.Option(help="The new server's display name. Without it its host name.")]
Ttl = Annotated[str, typer.Option(help="How long the token can be used: 1m to 1h, as 90s, 30m or 1h.")]
Organization = Annotated[str, typer.Option(help="The organization's id. Needed when you are admin of several.")]


@app.callback()
def join_tokens() -> None:
    """Keep `create` a command of its own."""


@app.command("create")
def create(
    context: typer.Context,
    name: Name = "",
    ttl: Ttl = "1h",
    organization: Organization = "",
    url: Url = "",
    json: Json = False,
) -> None:
    """Make a token and print the command that the new server has to run. It is shown only once."""
    body = {"serverDisplayName": name, "ttl": f"{parse_ttl_s(ttl)}s", "organizationId": organization}
    session = invocation(context).session(url)
    answer = session.post("/api/v1/join-tokens", body)
    command = f"flick-agent enroll {answer.get('enrollUrl') or session.url} {answer['token']}"
    if json:
        show_json({**answer, "command": command})
        return
    say(command)
    typer.echo(f"Run this on the new server within {ttl}; it works once. Then `flick-agent run`.", err=True)


def parse_ttl_s(text: str) -> int:
    """`30m` as seconds. Raises CliError for what the contract does not allow."""
    match = _DURATION.fullmatch(text.strip())
    seconds = int(match[1]) * _UNIT_S[match[2]] if match else 0
    if not MIN_TTL_S <= seconds <= MAX_TTL_S:
        raise CliError(f"--ttl is {text!r}; give 1m to 1h, as 90s, 30m or 1h.", code=ExitCode.USAGE)
    return seconds
