"""Which of FLick's own figures become metrics of this machine: its agent takes them from where each part tells them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from flick.private_file import write_private

_PROCESS = ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds")
# What a person looks at when FLick is slow, grows or loses something; everything else stands at /metrics.
METRICS: Mapping[str, Sequence[str]] = {
    "auth": (*_PROCESS, "flick_auth_watchers", "flick_auth_logins_total"),
    "ingest": (
        *_PROCESS,
        "flick_bus_up",
        "flick_ingest_admitted_bytes",
        "flick_ingest_commit_lag_seconds",
        "flick_ingest_flush_failures_total",
        "flick_ingest_flush_seconds",
        "flick_ingest_rollup_oldest_seconds",
        "flick_ingest_rollup_waiting_hours",
        "flick_ingest_samples_received_total",
        "flick_ingest_samples_rejected_total",
        "flick_ingest_samples_stored_total",
        "flick_ingest_sealed_samples_total",
        "flick_ingest_sealing_failures_total",
        "flick_ingest_sealing_oldest_seconds",
        "flick_ingest_streams",
    ),
    "query": (
        *_PROCESS,
        "flick_bus_up",
        "flick_query_agents_connected",
        "flick_query_agents_spooled_samples",
        "flick_query_database_bytes",
        "flick_query_range_read_seconds",
        "flick_query_redis_keys",
        "flick_query_redis_used_bytes",
        "flick_query_viewers",
    ),
    "gateway": (
        *_PROCESS,
        "flick_gateway_live_sockets",
        "flick_gateway_request_seconds",
        "flick_gateway_request_seconds_count",
        "flick_gateway_requests_in_flight",
    ),
}


def write_sources(folder: Path, *, addresses: Mapping[str, str]) -> None:
    """Have the agent whose folder of custom metrics this is take them; `addresses`: of each part's /metrics.

    The files are written at every start, since ports may change; others in the folder stay as they are.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    for part, metrics in METRICS.items():
        names = "".join(f'    "{name}",\n' for name in metrics)
        text = (
            "# Written at every start of FLick: change nothing here.\n"
            f'url = "http://{addresses[part]}/metrics"\n'
            f'labels = {{ service = "{part}" }}\n'
            f"metrics = [\n{names}]\n"
        )
        write_private(folder / f"flick-{part}.scrape.toml", text)
