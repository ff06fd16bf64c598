"""`flick up`, `flick doctor`: handed over to the launcher, which is loaded only then."""

from pathlib import Path
from typing import Annotated

import typer

from flick.cli.invocation import Json, invocation

DataDir = Annotated[
    Path | None,
    typer.Option(help="Where everything is kept. Without it /var/lib/flick for root, ~/.local/share/flick for others."),
]
Port = Annotated[
    int | None, typer.Option(help="The gateway's port; 0 takes any. Without it the last one, at first 8080.", max=65535)
]
Host = Annotated[str, typer.Option(help="What to listen on. Others than loopback get HTTPS by a local authority.")]
Workers = Annotated[int, typer.Option(help="How many processes take what agents send.", min=1, max=64)]


def up(
    context: typer.Context,
    data_dir: DataDir = None,
    port: Port = None,
    host: Host = "127.0.0.1",
    workers: Workers = 1,
    json: Json = False,
) -> None:
    """Start FLick on this machine.

    This very machine is its first server. Ctrl-C stops everything.
    """
    from deploy.local.up import UpOptions, run

    options = UpOptions(data_dir=data_dir, host=host, port=port, json=json, workers=workers)
    raise typer.Exit(run(options, environ=invocation(context).environ))


def doctor(
    context: typer.Context, data_dir: DataDir = None, port: Port = None, host: Host = "127.0.0.1", json: Json = False
) -> None:
    """Check whether FLick can run here.

    Says how to mend what stands in the way. Ends with 1 when something does.
    """
    from deploy.local.doctor import DoctorOptions, run

    options = DoctorOptions(data_dir=data_dir, host=host, port=port, json=json)
    raise typer.Exit(run(options, environ=invocation(context).environ))
