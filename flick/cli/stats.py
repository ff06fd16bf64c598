"""`flick stats`: what FLick knows of itself: agents, its processes, database and how it grows, Redis, versions."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from flick.cli.invocation import Json, Url, invocation, printable, say, show_json, show_table
from flick.cli.servers import age, parse_time
from flick.cli.top.reading import in_bytes, percent

LARGEST = 8  # tables; --json has all
FULL_SOON_DAYS = 30.0  # time enough for a larger disk

Organization = Annotated[str, typer.Option(help="Only this organization's agents, by its id.", metavar="ID")]
Cells = Sequence[Text | str]
_HEALTH = {
    "SERVICE_HEALTH_SERVING": ("serving", "green"),
    "SERVICE_HEALTH_TROUBLED": ("troubled", "yellow"),
    "SERVICE_HEALTH_UNREACHABLE": ("unreachable", "red"),
}


def stats(context: typer.Context, organization: Organization = "", url: Url = "", json: Json = False) -> None:
    """Show how FLick itself does: agents, processes, database and its forecast, Redis, versions."""
    asked = {"organizationId": organization} if organization else {}
    answer = invocation(context).session(url).get("/api/v1/stats", asked)
    if json:
        show_json(answer)
        return
    now_s = time.time()
    show_table(["AGENTS", ""], agent_rows(answer.get("agents"), now_s=now_s))
    house = answer.get("installation")
    if not house:
        return
    for columns, rows in (
        (["INSTALLATION", ""], installation_rows(house, now_s=now_s)),
        (["DATABASE", ""], database_rows(house.get("database") or {}, now_s=now_s)),
        (["TABLE", "SIZE", "ROWS", "CHUNKS", "A DAY", "IN THE END"], table_rows(house.get("database") or {})),
        (["PROCESS", "STATE", "VERSION", "UP", "CPU", "MEMORY", "KNOWN BY"], service_rows(house, now_s=now_s)),
    ):
        if rows:
            say("")
            show_table(columns, rows)


def agent_rows(agents: Mapping[str, Any] | None, *, now_s: float) -> list[Cells]:
    """Each a word and what it comes to."""
    if not agents:
        return [("connected", Text("not known: the database does not answer", style="red"))]
    spools, lag = agents.get("spools") or {}, agents.get("lag") or {}
    versions = ", ".join(f"{one['version']} on {one['count']}" for one in agents.get("versions", []))
    waiting = f"{_number(spools, 'heldSamples')} samples ({in_bytes(_number(spools, 'heldBytes'))})"
    oldest_s = parse_time(spools.get("oldestTime"))
    if oldest_s is not None:
        waiting += f", the oldest {age(now_s - oldest_s)} old, on server {spools.get('oldestServerId')}"
    rows: list[Cells] = [
        ("connected", f"{agents['connectedCount']} of {agents['knownCount']} that sent within 90 days"),
        ("versions", printable(versions) or "-"),
        ("lag", ", ".join(f"{name} {_seconds(lag[name])}" for name in ("p50", "p99", "max") if lag.get(name)) or "-"),
        ("in spools", waiting),
    ]
    if spools.get("degradedCount"):
        told = f"{spools['degradedCount']} agents keep samples in memory only"
        rows.append(("spools", Text(told, style="yellow")))
    return rows


def installation_rows(house: Mapping[str, Any], *, now_s: float) -> list[Cells]:
    """Likewise."""
    ingest, gateway, waits = (house.get(name) or {} for name in ("ingest", "gateway", "housekeeping"))
    rows: list[Cells] = [
        ("versions", _versions(house.get("versions") or {})),
        ("schemas", _schemas(house.get("versions") or {})),
        ("ingest", _ingest(ingest)),
        ("gateway", _gateway(gateway)),
        ("waiting", _waiting(waits, now_s)),
        ("redis", _redis(house.get("redis") or {}, now_s)),
    ]
    if ingest.get("troubles"):
        rows.append(("trouble", Text("commits fail: " + ", ".join(map(printable, ingest["troubles"])), style="red")))
    return rows


def database_rows(database: Mapping[str, Any], *, now_s: float) -> list[Cells]:
    """Likewise."""
    if database.get("trouble") or not database:
        return [("trouble", Text(printable(database.get("trouble") or "not known"), style="red"))]
    forecast, disk = database.get("forecast") or {}, database.get("disk") or {}
    rows: list[Cells] = [("size", f"{in_bytes(_number(database, 'totalBytes'))}")]
    if forecast.get("absentReason"):
        rows.append(("forecast", printable(forecast["absentReason"])))
    else:
        end_s = parse_time(forecast.get("finalTime")) or now_s
        rows += [
            ("a day", f"{in_bytes(float(forecast.get('growthBytesPerDay') or 0))} come"),
            ("in the end", f"{in_bytes(_number(forecast, 'finalBytes'))}, {_day(end_s)}, if as much keeps coming"),
        ]
    rows.append(("disk", _disk(disk, forecast)))
    return rows


def table_rows(database: Mapping[str, Any]) -> list[Cells]:
    """The largest tables."""
    parts = {one["table"]: one for one in (database.get("forecast") or {}).get("parts", [])}
    rows: list[Cells] = []
    for table in database.get("tables", [])[:LARGEST]:
        part = parts.get(table["table"]) if table["schema"] == "telemetry" else None
        measured = part is not None and part.get("measuredOver")
        rows.append(
            (
                f"{table['schema']}.{table['table']}",
                in_bytes(_number(table, "totalBytes")),
                str(_number(table, "rowEstimate")),
                str(table.get("chunkCount") or "-"),
                in_bytes(float(part["growthBytesPerDay"])) if part is not None and measured else "-",
                in_bytes(_number(part, "finalBytes")) if part is not None and measured else "-",
            )
        )
    return rows


def service_rows(house: Mapping[str, Any], *, now_s: float) -> list[Cells]:
    """Each process."""
    rows: list[Cells] = []
    for one in house.get("services", []):
        word, style = _HEALTH.get(str(one.get("health")), ("unknown", "dim"))
        reason = f": {one['healthReason']}" if one.get("healthReason") else ""
        started_s = parse_time(one.get("startTime"))
        count = f" in {one['processCount']} processes" if (one.get("processCount") or 0) > 1 else ""
        rows.append(
            (
                f"{one['service']}{count}",
                Text(printable(word + reason), style=style),
                one.get("version") or "-",
                "-" if started_s is None else age(now_s - started_s),
                percent(one.get("cpuUsage")),
                in_bytes(_number(one, "residentBytes") or None),
                one["knownBy"],
            )
        )
    return rows


def _versions(versions: Mapping[str, Any]) -> str:
    names = (("flick", "FLick"), ("python", "Python"), ("grpc", "gRPC"), ("postgresql", "PostgreSQL"))
    words = [f"{name} {versions[key]}" for key, name in names if versions.get(key)]
    if versions.get("timescaledb"):
        words.append(f"TimescaleDB {versions['timescaledb']} ({versions.get('timescaledbLicense') or '?'})")
    if versions.get("redis"):
        words.append(f"Redis {versions['redis']}")
    return ", ".join(words)


def _schemas(versions: Mapping[str, Any]) -> str:
    return ", ".join(f"{one['schema']} {one['number']:04}" for one in versions.get("schemas", [])) or "-"


def _ingest(ingest: Mapping[str, Any]) -> str:
    streams = [one["streamCount"] for one in ingest.get("processes", [])]
    words = [f"{sum(streams)} streams in {len(streams)} processes"]
    if ingest.get("samplesPerSecond") is not None:
        words.append(f"{float(ingest['samplesPerSecond']):.3g} samples/s")
    words += [
        f"commit lag {name[-3:].lower()} {_seconds(ingest[name])}"
        for name in ("commitLagP50", "commitLagP99")
        if ingest.get(name)
    ]
    if ingest.get("heldBytes") is not None:
        words.append(f"{in_bytes(_number(ingest, 'heldBytes'))} held")
    return ", ".join(words)


def _gateway(gateway: Mapping[str, Any]) -> str:
    if gateway.get("requestsPerSecond") is None:
        return "not known"
    words = [f"{float(gateway['requestsPerSecond']):.3g} requests/s"]
    words += [
        f"{name[-3:].lower()} {_seconds(gateway[name])}" for name in ("requestP50", "requestP99") if gateway.get(name)
    ]
    return ", ".join([*words, f"{gateway.get('liveSocketCount') or 0} live sockets"])


def _waiting(waits: Mapping[str, Any], now_s: float) -> str:
    if waits.get("unsealedHourCount") is None:
        return "not known"
    words = f"{waits['unsealedHourCount']} hours to be sealed"
    oldest_s = parse_time(waits.get("oldestUnsealedTime"))
    if oldest_s is not None:
        words += f" (the oldest began {age(now_s - oldest_s)} ago)"
    if waits.get("unrolledHourCount") is not None:
        words += f", {waits['unrolledHourCount']} hours of servers to be rolled up"
    if waits.get("retentionBehind"):
        words += f", {age(float(waits['retentionBehind'].removesuffix('s')))} behind with taking old data away"
    return words


def _redis(redis: Mapping[str, Any], now_s: float) -> Text | str:
    if redis.get("trouble") or not redis:
        return Text(printable(redis.get("trouble") or "not known"), style="yellow")
    limit = _number(redis, "maxBytes")
    words = in_bytes(_number(redis, "usedBytes")) + (f" of {in_bytes(limit)}" if limit else "")
    words += f", {_number(redis, 'keyCount')} keys, {_number(redis, 'evictedKeyCount')} evicted"
    words += f", {redis.get('clientCount', 0)} clients, ping {_seconds(redis.get('ping') or '0s')}"
    started_s = parse_time(redis.get("startTime"))
    return words if started_s is None else f"{words}, up {age(now_s - started_s)}"


def _disk(disk: Mapping[str, Any], forecast: Mapping[str, Any]) -> Text | str:
    if not disk:
        return "not known: the database lies on another machine"
    words = f"{in_bytes(_number(disk, 'freeBytes'))} of {in_bytes(_number(disk, 'totalBytes'))} free"
    days = forecast.get("daysUntilFull")
    if days is None:
        return words if forecast.get("absentReason") else f"{words}, enough for all that is foreseen"
    told = f"{words}, full in {float(days):.0f} days"
    return Text(told, style="red" if float(days) < FULL_SOON_DAYS else "yellow")


def _number(of: Mapping[str, Any], field: str) -> int:
    """A count, which the API writes as text where it may be large."""
    return int(of.get(field) or 0)


def _seconds(duration: str) -> str:
    seconds = float(duration.removesuffix("s"))
    return f"{seconds * 1000:.3g} ms" if abs(seconds) < 1 else f"{seconds:.3g} s"


def _day(second: float) -> str:
    return datetime.fromtimestamp(second, tz=UTC).strftime("%Y-%m-%d")
