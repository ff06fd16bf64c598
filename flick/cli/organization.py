"""`flick organization`: the organization that servers belong to, and what they inherit from it."""

from typing import Annotated, Any

import typer

from flick.cli.failure import CliError, ExitCode
from flick.cli.invocation import Json, Url, invocation, say, show_json
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

app = typer.Typer(no_args_is_help=True, help="Your organization, whose settings groups and servers inherit.")

PATH = "/api/v1/organizations"

Named = Annotated[str, typer.Option("--organization", help="Its name or id. Needed when you are in several.")]
Name = Annotated[str | None, typer.Option(help="Another display name.")]


@app.command("show")
def show(context: typer.Context, organization: Named = "", url: Url = "", json: Json = False) -> None:
    """Show the organization and its settings."""
    session = invocation(context).session(url)
    found = find_organization(session, organization)
    settings = session.get(f"{PATH}/{found['organizationId']}/settings")
    if json:
        show_json({"organization": found, "settings": settings})
        return
    say(f"{found['displayName']}  {found['organizationId']}")
    show_settings(settings)


@app.command("set")
def change(
    context: typer.Context,
    organization: Named = "",
    name: Name = None,
    metric_interval: Interval = None,
    retention_days: Retention = None,
    processes: Processes = None,
    commands: Commands = None,
    unset: Unset = None,
    url: Url = "",
    json: Json = False,
) -> None:
    """Change its name, or settings for all servers for which neither they nor their group have their own."""
    settings = changed_settings(
        interval=metric_interval, retention_days=retention_days, processes=processes, commands=commands, unset=unset
    )
    if name is None and not settings:
        raise CliError(
            "Nothing to change is given; add --name, --metric-interval, --retention-days, --processes, --commands "
            "or --unset.",
            code=ExitCode.USAGE,
        )
    session = invocation(context).session(url)
    found = find_organization(session, organization)
    path = f"{PATH}/{found['organizationId']}"
    if name is not None:
        found = session.patch(path, {"displayName": name})
    changed = session.patch(f"{path}/settings", settings) if settings else session.get(f"{path}/settings")
    if json:
        show_json({"organization": found, "settings": changed})
    else:
        say(f"The organization {found['displayName']} is changed.")


def find_organization(session: Session, wanted: str) -> dict[str, Any]:
    """The one organization that `wanted` names, by id or display name; the only one when it is empty."""
    known = list(session.items(PATH, "organizations"))
    found = [
        one
        for one in known
        if not wanted or wanted == one["organizationId"] or wanted.casefold() == one["displayName"].casefold()
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise CliError(f"There is no organization {wanted!r} of yours.", code=ExitCode.NOT_FOUND_OR_DENIED)
    ids = ", ".join(f"{one['displayName']} ({one['organizationId']})" for one in found)
    raise CliError(f"You are in {len(found)} organizations: {ids}. Name one by --organization.", code=ExitCode.USAGE)
