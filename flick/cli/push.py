"""`flick push`: values of metrics of one's own, such as what a job found, stored beside what the agent measures."""

import math
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from flick.cli.failure import CliError, ExitCode
from flick.cli.invocation import Json, Url, invocation, printable, say, show_json
from flick.cli.servers import find_server, list_servers

Values = Annotated[
    list[str], typer.Argument(help="Values such as backup_bytes=123456 or jobs_total=42.", metavar="NAME=VALUE...")
]
Server = Annotated[str, typer.Option("--server", help="The server's name, host name or id.", metavar="NAME_OR_ID")]
Labels = Annotated[
    list[str], typer.Option("--label", help="A label of all of them; may be repeated.", metavar="KEY=TEXT")
]


def push(
    context: typer.Context,
    values: Values,
    server: Server,
    label: Labels = [],  # noqa: B006 - typer copies it
    url: Url = "",
    json: Json = False,
) -> None:
    """Store values of a server's own metrics, as they are now. Names that end in `_total` are counters."""
    labels = parse_labels(label)
    now = datetime.fromtimestamp(time.time(), tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = [{"name": name, "value": value, "labels": dict(labels)} for name, value in parse_values(values)]
    session = invocation(context).session(url)
    found = find_server(list_servers(session), server)
    answer = session.post(f"/api/v1/servers/{found['serverId']}/metrics:push", {"values": told, "time": now})
    if json:
        show_json(answer)
        return
    stored = answer.get("storedCount", 0) + answer.get("duplicateCount", 0)
    say(f"Stored {stored} of {len(told)}.")
    for one in answer.get("rejections", []):
        typer.echo(printable(f"{one['field']}: {one['description']}"), err=True)
    if answer.get("rejectedCount"):
        raise typer.Exit(ExitCode.ERROR)


def parse_values(texts: Sequence[str]) -> list[tuple[str, float]]:
    """`a=1` as name and number. Raises CliError naming what is neither."""
    found = []
    for text in texts:
        name, sign, number = text.partition("=")
        try:
            value = float(number) if name and sign else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise CliError(f"{printable(text)!r} is no value; write NAME=NUMBER.", code=ExitCode.USAGE)
        found.append((name, value))
    return found


def parse_labels(texts: Sequence[str]) -> Mapping[str, str]:
    """`a=b` as labels. Raises CliError naming what is none."""
    found = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not (key and sign and value):
            raise CliError(f"--label is {printable(text)!r}; write KEY=TEXT.", code=ExitCode.USAGE)
        found[key] = value
    return found
