"""`flick servers set`: what people say of servers, and their own settings."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from flick.cli.failure import CliError, ExitCode
from flick.cli.groups import find_group
from flick.cli.invocation import Json, Url, invocation, say, show_json
from flick.cli.servers import find_server, list_servers
from flick.cli.session import Session
from flick.cli.settings import Commands, Interval, Processes, Retention, Unset, changed_settings


class Category(StrEnum):
    """What kind of machine a server is."""

    UNSPECIFIED = "unspecified"
    PHYSICAL = "physical"
    VIRTUAL = "virtual"
    CONTAINER = "container"
    CLOUD = "cloud"


Servers = Annotated[list[str], typer.Argument(help="Names or ids of servers.", metavar="SERVER...")]
Name = Annotated[str | None, typer.Option(help="Another display name, for one server; goes without other changes.")]
Tag = Annotated[list[str] | None, typer.Option(help="Add a tag, `key` or `key:value`. May be repeated.")]
Untag = Annotated[list[str] | None, typer.Option(help="Remove a tag. May be repeated.")]
Description = Annotated[str | None, typer.Option(help="What to note about it; empty: nothing.")]
Kind = Annotated[Category | None, typer.Option("--category", help="What kind of machine it is.")]
Group = Annotated[str | None, typer.Option(help="The group's name or id; empty: no group.")]


def change(
    context: typer.Context,
    servers: Servers,
    name: Name = None,
    tag: Tag = None,
    untag: Untag = None,
    description: Description = None,
    category: Kind = None,
    group: Group = None,
    metric_interval: Interval = None,
    retention_days: Retention = None,
    processes: Processes = None,
    commands: Commands = None,
    unset: Unset = None,
    url: Url = "",
    json: Json = False,
) -> None:
    """Change what is said of servers and how they are measured: all of them alike, or none."""
    settings = changed_settings(
        interval=metric_interval, retention_days=retention_days, processes=processes, commands=commands, unset=unset
    )
    changes = any(one is not None for one in (description, category, group)) or tag or untag or settings
    if (name is None) == (not changes) or (name is not None and len(servers) > 1):
        raise CliError(
            "Give either --name for one server, or some of --tag, --untag, --description, --category, --group, "
            "--metric-interval, --retention-days, --processes, --commands and --unset.",
            code=ExitCode.USAGE,
        )
    session = invocation(context).session(url)
    known = list_servers(session)
    server_ids = list(dict.fromkeys(find_server(known, one)["serverId"] for one in servers))
    if name is not None:
        answer = session.patch(f"/api/v1/servers/{server_ids[0]}", {"displayName": name})
    else:
        said = _said(session, description, category, group)
        body: dict[str, Any] = {"serverIds": server_ids, "addTags": tag or [], "removeTags": untag or []}
        body |= {"server": said, "updateMask": ",".join(said)}
        body |= {"settings": settings, "settingsMask": ",".join(settings)}
        answer = session.post("/api/v1/servers:batchUpdate", body)
    if json:
        show_json(answer)
    else:
        say(f"{len(server_ids)} server{'s are' if len(server_ids) > 1 else ' is'} changed.")


def _said(session: Session, description: str | None, category: Category | None, group: str | None) -> dict[str, Any]:
    """The fields of servers that change."""
    said: dict[str, Any] = {}
    if description is not None:
        said["description"] = description
    if category is not None:
        said["category"] = f"SERVER_CATEGORY_{category.name}"
    if group is not None:
        said["serverGroupId"] = find_group(session, group)["serverGroupId"] if group else ""
    return said
