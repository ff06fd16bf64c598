"""`flick servers`: the servers that the user may see."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from flick.cli.failure import CliError, ExitCode
from flick.cli.invocation import Json, Url, invocation, say, show_json, show_table
from flick.cli.session import Session

app = typer.Typer(no_args_is_help=True, help="The servers that you may see.")

Filter = Annotated[
    str, typer.Option("--filter", help='Only those that match, for example `tags:env:prod AND NOT server_group="Web"`.')
]
OrderBy = Annotated[
    str, typer.Option(help="display_name, hostname, os_type, category or create_time; ` desc` may follow.")
]

_STATES = {
    "SERVER_STATE_ONLINE": ("online", "green"),
    "SERVER_STATE_LATE": ("late", "yellow"),
    "SERVER_STATE_OFFLINE": ("offline", "red"),
    "SERVER_STATE_NEVER_SEEN": ("never seen", "dim"),
}


@app.command("ls")
def ls(
    context: typer.Context, filter_text: Filter = "", order_by: OrderBy = "", url: Url = "", json: Json = False
) -> None:
    """List the servers with their state."""
    session = invocation(context).session(url)
    wanted = {"filter": filter_text} if filter_text else {}
    found = list_servers(session, {**wanted, **({"orderBy": order_by} if order_by else {})})
    states = {one["serverId"]: one for one in session.get("/api/v1/servers:summary", wanted).get("servers", [])}
    for server in found:
        state = states.get(server["serverId"], {})
        server["state"] = state.get("state", "SERVER_STATE_UNSPECIFIED")
        server["lastSampleTime"] = state.get("lastSampleTime")
        server["reason"] = state.get("reason", "")
    if json:
        show_json({"servers": found})
    elif not found and filter_text:
        say("No server matches the filter.")
    elif not found:
        say("There are no servers yet. Run `flick join-tokens create` and its answer on the new server.")
    else:
        show_table(["NAME", "STATE", "LAST SAMPLE", "SYSTEM", "TAGS", "ID"], [_row(server) for server in found])


def list_servers(session: Session, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Every server that the user may see, by display name unless `query` asks for a filter or another order."""
    return list(session.items("/api/v1/servers", "servers", query))


def find_server(servers: list[dict[str, Any]], wanted: str) -> dict[str, Any]:
    """The one server that `wanted` names: by id, display name, host name, or the beginning of the id."""
    tests: tuple[Callable[[dict[str, Any]], bool], ...] = (
        lambda one: one["serverId"] == wanted,
        lambda one: one["displayName"].casefold() == wanted.casefold(),
        lambda one: (one.get("host") or {}).get("hostname", "").casefold() == wanted.casefold(),
        lambda one: len(wanted) >= 4 and one["serverId"].startswith(wanted.lower()),
    )
    for matches in tests:
        found = [one for one in servers if matches(one)]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(one["serverId"] for one in found)
            raise CliError(f"{wanted!r} names {len(found)} servers; give one of the ids {ids}.", code=ExitCode.USAGE)
    raise CliError(
        f"There is no server {wanted!r} that you may see; `flick servers ls` lists them.",
        code=ExitCode.NOT_FOUND_OR_DENIED,
    )


def parse_time(text: str | None) -> float | None:
    """Seconds since the Unix epoch of an API timestamp; None for none."""
    if not text:
        return None
    # Python 3.11 reads six digits of a second at most where the API may write nine.
    whole, dot, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp() + (float(f"0.{fraction}") if dot else 0.0)


def age(seconds: float) -> str:
    """How long ago, in a few characters: `3 s`, `5 min`, `2 h`, `4 d`."""
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{max(0.0, seconds) / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def _row(server: dict[str, Any]) -> list[Text | str]:
    word, style = _STATES.get(server["state"], ("unknown", "dim"))
    sampled = parse_time(server["lastSampleTime"])
    return [
        server["displayName"],
        Text(word, style=style),
        "-" if sampled is None else f"{age(time.time() - sampled)} ago",
        (server.get("host") or {}).get("osDescription", ""),
        " ".join(server.get("tags", [])),
        server["serverId"],
    ]
