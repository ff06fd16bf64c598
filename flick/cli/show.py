"""`flick servers show`: one server, with what its agent tells of its host and the settings in effect."""

import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from flick.cli.groups import list_groups
from flick.cli.invocation import Json, Url, invocation, show_json, show_table
from flick.cli.servers import age, find_server, list_servers, parse_time
from flick.cli.settings import show_settings

Server = Annotated[str, typer.Argument(help="The server's name or id.", metavar="SERVER")]

_GIB = 2**30
_PHYSICAL = "a machine of its own"


def show(context: typer.Context, server: Server, url: Url = "", json: Json = False) -> None:
    """Show one server: its host, what is said of it, and for whom each setting is set."""
    session = invocation(context).session(url)
    server_id = find_server(list_servers(session), server)["serverId"]
    found = session.get(f"/api/v1/servers/{server_id}")
    settings = session.get(f"/api/v1/servers/{server_id}/settings")
    if json:
        show_json({"server": found, "settings": settings})
        return
    groups = {one["serverGroupId"]: one["displayName"] for one in list_groups(session)}
    lines = [*_said(found, groups), *_host(found)]
    show_table(["SERVER", found["displayName"]], [[name, text] for name, text in lines if text])
    typer.echo()
    show_settings(settings)


def _said(server: Mapping[str, Any], groups: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    category = server.get("category", "").removeprefix("SERVER_CATEGORY_").lower()
    yield "id", server["serverId"]
    yield "group", groups.get(server.get("serverGroupId", ""), "")
    yield "tags", " ".join(server.get("tags", []))
    yield "category", category if category != "unspecified" else ""
    yield "description", " ".join(server.get("description", "").split())


def _host(server: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    host = server.get("host") or {}
    logical, cores = host.get("cpuLogicalCount", 0), host.get("cpuPhysicalCount", 0)
    memory_bytes = int(host.get("memoryLimit") or 0)
    started_s, changed_s = parse_time(host.get("bootTime")), parse_time(server.get("hostChangeTime"))
    yield "host name", host.get("hostname", "")
    yield "system", host.get("osDescription", "")
    yield "kernel", " ".join(part for part in (host.get("kernelRelease", ""), host.get("arch", "")) if part)
    yield "processor", host.get("cpuModel", "")
    yield "processors", f"{logical} logical, {cores} cores" if logical and cores else str(logical or "")
    yield "memory", f"{memory_bytes / _GIB:.1f} GiB" if memory_bytes else ""
    runs_in = host.get("virtualization", "")
    yield "runs in", _PHYSICAL if runs_in == "none" else runs_in
    yield "addresses", " ".join(host.get("addresses", []))
    yield "started", "" if started_s is None else f"{age(time.time() - started_s)} ago"
    yield "agent", server.get("agentVersion", "")
    yield "host changed", "" if changed_s is None else f"{age(time.time() - changed_s)} ago"
