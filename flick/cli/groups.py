"""`flick groups`: groups of servers."""

from typing import Annotated, Any

import typer

from flick.cli.failure import CliError, ExitCode
from flick.cli.invocation import Json, Url, invocation, say, show_json, show_table
from flick.cli.session import Session
from flick.cli.settings import (
    Commands,
    Interval,
    Processes,
    Retention,
    Unset,
    changed_settings,
    show_settings,
)

app = typer.Typer(no_args_is_help=True, help="Groups of servers.")

PATH = "/api/v1/server-groups"

Group = Annotated[str, typer.Argument(help="The group's name or id.", metavar="GROUP")]
NewName = Annotated[str | None, typer.Option("--name", help="Another display name.")]
Description = Annotated[str | None, typer.Option(help="What to note about it; empty: nothing.")]
Organization = Annotated[str, typer.Option(help="The organization's id. Needed when you are admin of several.")]


@app.command("ls")
def ls(context: typer.Context, url: Url = "", json: Json = False) -> None:
    """List the groups."""
    found = list_groups(invocation(context).session(url))
    if json:
        show_json({"serverGroups": found})
    elif not found:
        say("There are no groups yet; `flick groups create NAME` makes one.")
    else:
        rows = [
            [one["displayName"], str(one.get("serverCount", 0)), one.get("description", ""), one["serverGroupId"]]
            for one in found
        ]
        show_table(["NAME", "SERVERS", "DESCRIPTION", "ID"], rows)


@app.command("create")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Its display name.")],
    description: Annotated[str, typer.Option(help="What to note about it.")] = "",
    organization: Organization = "",
    url: Url = "",
    json: Json = False,
) -> None:
    """Make a group."""
    group = {"displayName": name, "description": description}
    made = invocation(context).session(url).post(PATH, {"organizationId": organization, "serverGroup": group})
    if json:
        show_json(made)
    else:
        say(f"The group {made['displayName']} is made. Put servers into it with `flick servers set --group`.")


@app.command("show")
def show(context: typer.Context, group: Group, url: Url = "", json: Json = False) -> None:
    """Show a group and its settings."""
    session = invocation(context).session(url)
    found = find_group(session, group)
    settings = session.get(f"{PATH}/{found['serverGroupId']}/settings")
    if json:
        show_json({"serverGroup": found, "settings": settings})
        return
    say(f"{found['displayName']}  {found['serverGroupId']}")
    if found.get("description"):
        say(" ".join(found["description"].split()))
    show_settings(settings)


@app.command("set")
def change(
    context: typer.Context,
    group: Group,
    name: NewName = None,
    description: Description = None,
    metric_interval: Interval = None,
    retention_days: Retention = None,
    processes: Processes = None,
    commands: Commands = None,
    unset: Unset = None,
    url: Url = "",
    json: Json = False,
) -> None:
    """Change a group's name, description, or settings for all of its servers that have none of their own."""
    asked = {"displayName": name, "description": description}
    body = {field: value for field, value in asked.items() if value is not None}
    settings = changed_settings(
        interval=metric_interval, retention_days=retention_days, processes=processes, commands=commands, unset=unset
    )
    if not (body or settings):
        raise CliError(
            "Nothing to change is given; add --name, --description, --metric-interval, --retention-days, "
            "--processes, --commands or --unset.",
            code=ExitCode.USAGE,
        )
    session = invocation(context).session(url)
    found = find_group(session, group)
    path = f"{PATH}/{found['serverGroupId']}"
    if body:
        found = session.patch(path, body)
    changed = session.patch(f"{path}/settings", settings) if settings else session.get(f"{path}/settings")
    if json:
        show_json({"serverGroup": found, "settings": changed})
    else:
        say(f"The group {found['displayName']} is changed.")


@app.command("rm")
def remove(context: typer.Context, group: Group, url: Url = "", json: Json = False) -> None:
    """Delete a group.

    Its servers stay, in no group.
    """
    session = invocation(context).session(url)
    found = find_group(session, group)
    session.delete(f"{PATH}/{found['serverGroupId']}")
    if json:
        show_json(found)
    else:
        say(f"The group {found['displayName']} is deleted.")


def list_groups(session: Session) -> list[dict[str, Any]]:
    """Every group that the user may see, by display name."""
    return list(session.items(PATH, "serverGroups"))


def find_group(session: Session, wanted: str) -> dict[str, Any]:
    """The one group that `wanted` names, by id or display name."""
    found = [
        one
        for one in list_groups(session)
        if wanted == one["serverGroupId"] or wanted.casefold() == one["displayName"].casefold()
    ]
    if len(found) == 1:
        return found[0]
    if found:  # groups of several organizations
        ids = ", ".join(one["serverGroupId"] for one in found)
        raise CliError(f"{wanted!r} names {len(found)} groups; give one of the ids {ids}.", code=ExitCode.USAGE)
    raise CliError(
        f"There is no group {wanted!r} that you may see; `flick groups ls` lists them.",
        code=ExitCode.NOT_FOUND_OR_DENIED,
    )
