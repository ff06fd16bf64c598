"""`flick servers delivery`: what became of a server's samples on their way, and who sends them."""

import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from flick.cli.failure import CliError, ExitCode
from flick.cli.invocation import Json, Url, invocation, printable, say, show_json, show_table
from flick.cli.servers import age, find_server, list_servers, parse_time

MAX_LAST_S = 31 * 86_400  # by the contract
LISTED = 10  # newest gaps and events; --json has up to 100 of each

_DURATION = re.compile(r"(\d{1,7})(s|m|h|d)")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

Server = Annotated[str, typer.Argument(help="The server's name, host name or id.", metavar="NAME_OR_ID")]
Last = Annotated[str, typer.Option(help="How far back: 90m, 24h, up to 31d. Whole hours are shown.")]


def delivery(context: typer.Context, server: Server, last: Last = "1h", url: Url = "", json: Json = False) -> None:
    """Show what became of a server's samples: stored, lost, late or refused, and who sends them."""
    start_s = time.time() - parse_last_s(last)
    session = invocation(context).session(url)
    found = find_server(list_servers(session), server)
    start = datetime.fromtimestamp(start_s, tz=UTC).isoformat().replace("+00:00", "Z")
    answer = session.get(f"/api/v1/servers/{found['serverId']}/delivery", {"startTime": start})
    if json:
        show_json(answer)
        return
    span = f"{_moment(answer['startTime'])} to {_moment(answer['endTime'])} UTC"
    rows = [("server", str(found["displayName"])), *summary(answer, now_s=time.time())]
    show_table(["DELIVERY", span], rows)
    for columns, rows in (
        (["GAP FROM", "TO", "CAUSE", "DROPPED"], [_gap(one) for one in answer.get("gaps", [])[:LISTED]]),
        (["TIME", "EVENT", "TIMES", "DETAIL"], [_event(one) for one in answer.get("events", [])[:LISTED]]),
    ):
        if rows:
            say("")
            show_table(columns, rows)


def parse_last_s(text: str) -> int:
    """`24h` as seconds. Raises CliError for what is no span, or longer than one answer's."""
    match = _DURATION.fullmatch(text.strip())
    seconds = int(match[1]) * _UNIT_S[match[2]] if match else 0
    if not 1 <= seconds <= MAX_LAST_S:
        raise CliError(f"--last is {text!r}; give a span up to 31d, as 90m, 24h or 7d.", code=ExitCode.USAGE)
    return seconds


def summary(answer: Mapping[str, Any], *, now_s: float) -> list[Sequence[Text | str]]:
    """The rows of the table, each a word and what it comes to."""
    lag = answer.get("lag") or {}
    lags = ", ".join(f"{name} {_seconds(lag[name])}" for name in ("p50", "p99", "max") if lag.get(name))
    spool = (answer.get("stream") or {}).get("spool") or {}
    held_back = spool.get("heldBack")
    if lags and held_back and float(held_back.removesuffix("s")):
        lags += f"; of that {_seconds(held_back)} on purpose, so that not all agents send at once"
    return [
        ("stream", _stream(answer.get("stream") or {}, now_s)),
        ("spool", _spool(spool, now_s)),
        *(("can't measure", _failing(one, now_s)) for one in spool.get("failingCollectors", [])),
        ("received", str(_number(answer, "receivedCount"))),
        ("stored", str(_number(answer, "committedCount"))),
        ("duplicates", str(_number(answer, "duplicateCount"))),
        ("conflicts", _alarming(_number(answer, "conflictCount"))),
        ("rejected", _listed(answer.get("rejected", []), "reason", "REJECTION_REASON_")),
        ("left out", _listed(answer.get("overflowed", []), "kind", "OVERFLOW_KIND_")),
        ("lag", lags or "-"),
        ("gaps", _alarming(_number(answer, "gapCount"))),
    ]


def _stream(stream: Mapping[str, Any], now_s: float) -> Text | str:
    opened_s = parse_time(stream.get("openTime"))
    if opened_s is None:
        return "none was ever opened"
    agent = stream.get("agent") or {}
    who = f"agent {agent.get('version') or '?'}, spool {agent.get('spoolId') or '?'}"
    if stream.get("clockOffset"):
        who += f", clock {float(stream['clockOffset'].removesuffix('s')):+.1f} s"
    if stream.get("connected"):
        return _styled(f"connected {age(now_s - opened_s)} ago: {who}", "green")
    ended_s = parse_time(stream.get("endTime"))
    if ended_s is None:
        return _styled(f"silent, opened {age(now_s - opened_s)} ago: {who}", "red")
    return _styled(f"ended {age(now_s - ended_s)} ago ({stream.get('endReason')}): {who}", "yellow")


def _spool(spool: Mapping[str, Any], now_s: float) -> Text | str:
    if not spool:
        return "-"
    words = f"{_number(spool, 'heldSamples')} held ({_number(spool, 'heldBytes') / 1024:.0f} KiB)"
    oldest_s = parse_time(spool.get("oldestTime"))
    if oldest_s is not None:
        words += f", oldest {age(now_s - oldest_s)} old"
    fates = ((name, _number(spool, f"{name}Samples")) for name in ("taken", "acked", "dropped", "refused", "corrupt"))
    words += "".join(f", {count} {name}" for name, count in fates if count)
    if spool.get("degradedReason"):
        return _styled(f"{words}; in memory only: {spool['degradedReason']}", "red")
    return words


def _failing(failing: Mapping[str, Any], now_s: float) -> Text:
    since_s = parse_time(failing.get("sinceTime"))
    since = "" if since_s is None else f" since {age(now_s - since_s)}"
    return _styled(f"{failing.get('collector')}{since}: {failing.get('reason')}", "yellow")


def _listed(counts: Sequence[Mapping[str, Any]], field: str, prefix: str) -> Text | str:
    total = sum(_number(one, "count") for one in counts)
    words = ", ".join(f"{_words(one.get(field), prefix)} {_number(one, 'count')}" for one in counts)
    return _styled(f"{total} ({words})", "yellow") if counts else "0"


def _alarming(count: int) -> Text | str:
    return _styled(str(count), "yellow") if count else "0"


def _gap(gap: Mapping[str, Any]) -> Sequence[Text | str]:
    cause = _words(gap.get("reason"), "GAP_REASON_")
    return [_moment(gap["startTime"]), _moment(gap["endTime"]), cause, str(_number(gap, "droppedSamples"))]


def _event(event: Mapping[str, Any]) -> Sequence[Text | str]:
    detail = str(event.get("detail", ""))
    if event.get("superseded"):
        detail += f" (spool {event['superseded'].get('spoolId')}, now {(event.get('agent') or {}).get('spoolId')})"
    kind = _words(event.get("kind"), "DELIVERY_EVENT_KIND_")
    return [_moment(event["time"]), kind, str(_number(event, "count")), detail]


def _styled(text: str, style: str) -> Text:
    return Text(printable(text), style=style)


def _number(of: Mapping[str, Any], field: str) -> int:
    """A count, which the API writes as text where it may be large."""
    return int(of.get(field) or 0)


def _words(name: object, prefix: str) -> str:
    return str(name or "unspecified").removeprefix(prefix).replace("_", " ").lower()


def _seconds(duration: str) -> str:
    seconds = float(duration.removesuffix("s"))
    return f"{seconds:.3g} s" if seconds < 100 else age(seconds)


def _moment(text: str) -> str:
    return datetime.fromtimestamp(parse_time(text) or 0.0, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")
