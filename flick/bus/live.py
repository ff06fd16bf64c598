"""Names of what passes between ingest and query through Redis, and how it is written there.

| what | Redis | value |
|---|---|---|
| somebody watches a server | key `watched_key(server_id)`, gone by itself after `WATCH_EXPIRES_S` | `1` |
| the same, as news, again every `WATCH_REFRESH_S` | channel `WATCHED_CHANNEL` | server ids, see `encode_server_ids` |
| a sample of a watched server, on receipt | channel `samples_channel(server_id)` | serialized `flick.v1.Sample` |
| the newest committed sample of every server | hash `LATEST_KEY`, field: the server id | serialized `flick.v1.Sample` |

The samples' `layout_id` is that of `telemetry.layouts`; 0 where the sample has no labelled values.
"""

from collections.abc import Iterable, Sequence

LATEST_KEY = "flick:live:latest"
WATCHED_CHANNEL = "flick:live:watched"
WATCH_REFRESH_S = 5.0
WATCH_EXPIRES_S = 15.0  # two refreshes may get lost

_SAMPLES_PREFIX = "flick:live:samples:"


def watched_key(server_id: str) -> str:
    """The key that is there while somebody watches the server."""
    return f"flick:live:watched:{server_id}"


def samples_channel(server_id: str) -> str:
    """The channel of a server's samples."""
    return f"{_SAMPLES_PREFIX}{server_id}"


def server_of_channel(channel: str) -> str:
    """The server whose samples the channel carries."""
    return channel.removeprefix(_SAMPLES_PREFIX)


def encode_server_ids(server_ids: Iterable[str]) -> bytes:
    """Server ids as one message."""
    return " ".join(server_ids).encode()


def decode_server_ids(payload: bytes) -> Sequence[str]:
    """The server ids of a message; what is no text is passed over."""
    return payload.decode(errors="ignore").split()
