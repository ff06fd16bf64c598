"""What the pages of FLick's processes say, as the contract tells it. Pure."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TypeAlias

from google.protobuf.duration_pb2 import Duration

from flick.v1 import stats_pb2
from services.query.stats.overseer import Seen
from services.query.stats.page import Page, Span

Timed: TypeAlias = stats_pb2.IngestStats | stats_pb2.GatewayStats | stats_pb2.ServiceStats


def tell_service(seen: Seen) -> stats_pb2.ServiceStats:
    """A process: how it does, its version, what it takes."""
    answer = stats_pb2.ServiceStats(service=seen.target.service, known_by=seen.target.address)
    troubles = [] if seen.page is None else page_troubles(seen.page)
    if seen.failure:
        answer.health = stats_pb2.SERVICE_HEALTH_UNREACHABLE
        answer.health_reason = seen.failure
    elif troubles:
        answer.health = stats_pb2.SERVICE_HEALTH_TROUBLED
        answer.health_reason = "; ".join(troubles)
    else:
        answer.health = stats_pb2.SERVICE_HEALTH_SERVING
    if seen.page is not None:
        answer.version = seen.page.labels("flick_build_info").get("version", "")
        started_s = seen.page.get("process_start_time_seconds")
        if started_s is not None:
            answer.start_time.FromSeconds(int(started_s))
        answer.process_count = int(seen.page.get("process_workers") or 0)
        answer.resident_bytes = int(seen.page.get("process_resident_memory_bytes") or 0)
        answer.open_file_count = int(seen.page.get("process_open_fds") or 0)
    if seen.span is not None:
        cpu_usage = seen.span.rate("process_cpu_seconds_total")
        if cpu_usage is not None:
            answer.cpu_usage = cpu_usage
        _time(answer, [seen.span])
    return answer


def page_troubles(page: Page) -> list[str]:
    """What is wrong by a process' own figures, in words."""
    troubles = [f"commits fail: {reason}" for reason in page.where("flick_ingest_trouble", "reason")]
    if page.get("flick_ingest_durable") == 0:
        troubles.append("PostgreSQL's settings do not make commits durable")
    if page.get("flick_bus_up") == 0:
        troubles.append("Redis does not answer it")
    return troubles


def tell_ingest(seen: Sequence[Seen]) -> stats_pb2.IngestStats:
    """How samples come in, over all processes of ingest that answer."""
    answer = stats_pb2.IngestStats()
    pages = [one.page for one in seen if one.page is not None and not one.failure]
    held = [page.get("flick_ingest_admitted_bytes") for page in pages]
    if any(one is not None for one in held):
        answer.held_bytes = int(sum(one or 0 for one in held))
    answer.troubles.extend(
        sorted({reason for page in pages for reason in page.where("flick_ingest_trouble", "reason")})
    )
    spans = [one.span for one in seen if one.span is not None]
    rate = _rate(spans, "flick_ingest_samples_stored_total")
    if rate is not None:
        answer.samples_per_second = rate
    _lag(answer.commit_lag_p50, spans, "flick_ingest_commit_lag_seconds", 0.5)
    _lag(answer.commit_lag_p99, spans, "flick_ingest_commit_lag_seconds", 0.99)
    _time(answer, spans)
    return answer


def tell_gateway(seen: Sequence[Seen]) -> stats_pb2.GatewayStats:
    """How people are answered, over all gateways that answer."""
    answer = stats_pb2.GatewayStats()
    sockets = [one.page.get("flick_gateway_live_sockets") for one in seen if one.page is not None and not one.failure]
    if any(one is not None for one in sockets):
        answer.live_socket_count = int(sum(one or 0 for one in sockets))
    spans = [one.span for one in seen if one.span is not None]
    rate = _rate(spans, "flick_gateway_requests_total")
    if rate is not None:
        answer.requests_per_second = rate
    _lag(answer.request_p50, spans, "flick_gateway_request_seconds", 0.5)
    _lag(answer.request_p99, spans, "flick_gateway_request_seconds", 0.99)
    _time(answer, spans)
    return answer


def tell_housekeeping(seen: Sequence[Seen], *, now_s: float) -> stats_pb2.HousekeepingStats:
    """What the processes of ingest tell of the housekeeping; of what waits, which the leader knows, the most."""
    answer = stats_pb2.HousekeepingStats()
    pages = [one.page for one in seen if one.page is not None and not one.failure]

    def known(name: str) -> list[float]:
        return [value for value in (page.get(f"flick_ingest_{name}") for page in pages) if value is not None]

    if leading := known("leads"):
        answer.leader_count = int(sum(leading))
    if waiting := known("rollup_waiting_hours"):
        answer.unrolled_hour_count = int(max(waiting))
    oldest_s = max(known("rollup_oldest_seconds"), default=0.0)
    if oldest_s > 0:
        answer.oldest_unrolled_time.FromSeconds(int(now_s - oldest_s))
    behind_s = max(known("retention_behind_seconds"), default=0.0)
    if behind_s > 0:
        answer.retention_behind.FromTimedelta(timedelta(seconds=behind_s))
    return answer


def _rate(spans: Sequence[Span], name: str) -> float | None:
    """Of all processes together."""
    known = [one for one in (span.rate(name) for span in spans) if one is not None]
    return sum(known) if known else None


def _lag(answer: Duration, spans: Sequence[Span], name: str, share: float) -> None:
    """The greatest of the processes' quantiles: no better than the worst of them. Left unset when there is none."""
    known = [one for one in (span.quantile(name, share) for span in spans) if one is not None]
    if known:
        answer.FromTimedelta(timedelta(seconds=max(known)))


def _time(answer: Timed, spans: Sequence[Span]) -> None:
    if spans:
        answer.measured_over.FromTimedelta(timedelta(seconds=max(span.seconds for span in spans)))
