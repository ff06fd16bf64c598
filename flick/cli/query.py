"""`flick query`: the history of some metrics of a server, in short or point by point."""

import csv
import io
import math
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from flick.cli.delivery import parse_last_s
from flick.cli.failure import CliError, ExitCode
from flick.cli.invocation import Json, Url, invocation, printable, say, show_json, show_table
from flick.cli.servers import find_server, list_servers

LISTED = 10  # gaps; --json has up to 200

Server = Annotated[str, typer.Argument(help="The server's name, host name or id.", metavar="NAME_OR_ID")]
Names = Annotated[
    list[str], typer.Argument(help="Names of metrics, such as system.cpu.utilization.", metavar="METRIC...")
]
Last = Annotated[str, typer.Option(help="How far back: 90m, 24h, up to 31d.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print every point as comma-separated values.")]
Points = Annotated[int, typer.Option(help="At most so many points a series, 10 to 5000.", min=10, max=5000)]


def query(
    context: typer.Context,
    server: Server,
    names: Names,
    last: Last = "1h",
    points: Points = 500,
    as_csv: Csv = False,
    url: Url = "",
    json: Json = False,
) -> None:
    """Show what some metrics of a server were: the least, average, greatest and last value of each series."""
    if as_csv and json:
        raise CliError("--csv and --json exclude each other; give one of them.", code=ExitCode.USAGE)
    start_s = time.time() - parse_last_s(last)
    session = invocation(context).session(url)
    found = find_server(list_servers(session), server)
    start = datetime.fromtimestamp(start_s, tz=UTC).isoformat().replace("+00:00", "Z")
    asked = urlencode({"names": names, "startTime": start, "maxPoints": points}, doseq=True)
    answer = session.get(f"/api/v1/servers/{found['serverId']}/metrics?{asked}")
    if json:
        show_json(answer)
    elif as_csv:
        sys.stdout.write(to_csv(answer))
    else:
        _show(answer)


def to_csv(answer: Mapping[str, Any]) -> str:
    """A line for each moment, a column for each series; empty where a series has no point then."""
    series = answer.get("series", [])
    columns = [dict(zip(one.get("times", []), one.get("values", []), strict=True)) for one in series]
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["time", *(printable(f"{title(one)} [{one['unit']}]") for one in series)])
    for moment in sorted({moment for column in columns for moment in column}, key=float):
        lines.writerow([_moment(float(moment)), *(column.get(moment, "") for column in columns)])
    return text.getvalue()


def summary(series: Mapping[str, Any]) -> list[str]:
    """A row of the table: the series, its unit, and its least, average, greatest and last value."""
    values = [float(one) for one in series.get("values", [])]
    least = min(map(float, series.get("minima") or values))
    greatest = max(map(float, series.get("maxima") or values))
    shown = [least, math.fsum(values) / len(values), greatest, values[-1]]
    return [title(series), str(series["unit"]), *(f"{one:.4g}" for one in shown)]


def title(series: Mapping[str, Any]) -> str:
    """The name of a series, and its labels."""
    labels = ",".join(f"{key}={value}" for key, value in sorted((series.get("labels") or {}).items()))
    return f"{series['name']}{f'{{{labels}}}' if labels else ''}"


def _show(answer: Mapping[str, Any]) -> None:
    series = answer.get("series", [])
    if not series:
        say("Nothing was measured of that in this span.")
    else:
        show_table(["SERIES", "UNIT", "LEAST", "AVERAGE", "GREATEST", "LAST"], [summary(one) for one in series])
    gaps = answer.get("gaps", [])
    if gaps:
        say("")
        show_table(["NO SAMPLES FROM", "TO", "CAUSE"], [_gap(one) for one in gaps[-LISTED:]])


def _gap(gap: Mapping[str, Any]) -> Sequence[str]:
    cause = str(gap.get("reason") or "").removeprefix("GAP_REASON_").replace("_", " ").lower()
    return [gap["startTime"], gap["endTime"], "unknown" if cause in ("", "unspecified") else cause]


def _moment(second: float) -> str:
    return datetime.fromtimestamp(second, tz=UTC).isoformat().replace("+00:00", "Z")
