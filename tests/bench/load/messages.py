"""Frames of full samples with random values, as bytes in which only sequence and times are filled in later."""

import random
import struct
from collections.abc import Sequence

from flick.v1 import ingest_pb2, telemetry_pb2
from tests.bench.storage.day import LAYOUT_ID, layout

CORE_COUNT = 25
LABELLED_COUNT = 40
VARIANTS = 8  # different contents of each agent's frames, which come in turn

# Names, users and command lines as a small web server has them.
_PROCESSES = (
    ("postgres", "postgres", "postgres: 17/main: shop shop 10.0.3.14(48822) idle in transaction"),
    ("postgres", "postgres", "postgres: 17/main: autovacuum worker shop"),
    ("python3", "shop", "/srv/shop/.venv/bin/python3 -m gunicorn shop.wsgi --workers 4 --bind 127.0.0.1:80"),
    ("nginx", "www-data", "nginx: worker process"),
    ("redis-server", "redis", "/usr/bin/redis-server 127.0.0.1:6379"),
    ("node", "front", "/usr/bin/node --max-old-space-size=512 /srv/front/node_modules/.bin/next start --port 3000"),
    ("java", "search", "/usr/bin/java -Xms1g -Xmx1g -cp /usr/share/search/lib/* org.search.Main"),
    ("dockerd", "root", "/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock"),
    ("systemd-journal", "root", "/usr/lib/systemd/systemd-journald"),
    ("kworker/1:2-eve", "root", ""),
    ("sshd", "root", "sshd: deploy [priv]"),
    ("cron", "root", "/usr/sbin/cron -f -P"),
)  # fmt: skip


def hello(spool_id: str) -> bytes:
    """The first frame of a stream."""
    first = ingest_pb2.Hello(
        agent_version="0.0.0",
        spool_id=spool_id,
        lanes=[ingest_pb2.LanePosition(lane=ingest_pb2.LANE_LIVE, seq=1)],
    )
    first.send_time.GetCurrentTime()
    return ingest_pb2.StreamTelemetryRequest(hello=first).SerializeToString()


def pong(ping_id: int) -> bytes:
    """The answer to a Ping."""
    return ingest_pb2.StreamTelemetryRequest(pong=ingest_pb2.Pong(ping_id=ping_id)).SerializeToString()


def contents(rng: random.Random) -> Sequence[bytes]:
    """The variants of one agent's samples: what stands behind their time."""
    return [_content(rng) for _ in range(VARIANTS)]


def frame(*, seq: int, times_ns: Sequence[int], samples: Sequence[bytes], layouts: bytes = b"") -> bytes:
    """A batch of the live lane. `layouts`: declarations, as `declaration` gives them."""
    parts = [b"\x08\x01\x10", _varint(seq), layouts]
    for time_ns, content in zip(times_ns, samples, strict=True):
        parts += (b"\x22", _varint(9 + len(content)), b"\x09", struct.pack("<Q", time_ns), content)
    body = b"".join(parts)
    return b"\x12" + _varint(len(body)) + body


def declaration() -> bytes:
    """The layout as a field of a batch."""
    return ingest_pb2.MetricBatch(layouts=[layout()]).SerializeToString()


def _content(rng: random.Random) -> bytes:
    sample = telemetry_pb2.Sample(
        core=[rng.random() * 10 ** rng.randrange(12) for _ in range(CORE_COUNT)],
        layout_id=LAYOUT_ID,
        labelled=[rng.random() * 10 ** rng.randrange(9) for _ in range(LABELLED_COUNT)],
        processes=_snapshot(rng).SerializeToString(),
    )
    return sample.SerializeToString()


def _snapshot(rng: random.Random) -> telemetry_pb2.ProcessSnapshot:
    snapshot = telemetry_pb2.ProcessSnapshot()
    for name, user, command in rng.sample(_PROCESSES, 10):
        snapshot.processes.add(
            pid=rng.randrange(2, 4_194_304),
            name=name,
            command=command,
            user=user,
            state=rng.choice(("sleeping", "sleeping", "running")),
            cpu_utilization=rng.random(),
            memory_rss=rng.randrange(1 << 32),
            thread_count=rng.randrange(1, 64),
        )
    return snapshot


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
