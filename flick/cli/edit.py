"""`flick servers edit`: what people say of servers."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from flick.cli.failure import CliError, ExitCode
from flick.cli.groups import find_group
from flick.cli.invocation import Json, Url, invocation, say, show_json
from flick.cli.servers import find_server, list_servers


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


def edit(
    context: typer.Context,
    servers: Servers,
    name: Name = None,
    tag: Tag = None,
    untag: Untag = None,
    description: Description = None,
    category: Kind = None,
    group: Group = None,
    url: Url = "",
    json: Json = False,
) -> None:
    """Change what is said of servers: all of them alike, or none."""
    changes = any(one is not None for one in (description, category, group)) or tag or untag
    if (name is None) == (not changes) or (name is not None and len(servers) > 1):
        raise CliError(
            "Give either --name for one server, or some of --tag, --untag, --description, --category and --group.",
            code=ExitCode.USAGE,
        )
    session = invocation(context).session(url)
    known = list_servers(session)
    server_ids = list(dict.fromkeys(find_server(known, one)["serverId"] for one in servers))
    if name is not None:
        answer = session.patch(f"/api/v1/servers/{server_ids[0]}", {"displayName": name})
    else:
        said: dict[str, Any] = {}
        if description is not None:
            said["description"] = description
        if category is not None:
            said["category"] = f"SERVER_CATEGORY_{category.name}"
        if group is not None:
            said["serverGroupId"] = find_group(session, group)["serverGroupId"] if group else ""
        body = {"serverIds": server_ids, "addTags": tag or [], "removeTags": untag or []}
        answer = session.post("/api/v1/servers:batchUpdate", {**body, "server": said, "updateMask": ",".join(said)})
    if json:
        show_json(answer)
    else:
        say(f"{len(server_ids)} server{'s are' if len(server_ids) > 1 else ' is'} changed.")
