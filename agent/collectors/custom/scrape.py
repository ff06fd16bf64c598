"""A file that names a program on this machine that tells metrics over HTTP, as exporters do, and which of them count.

    url = "http://127.0.0.1:9102/metrics"
    metrics = ["requests_total", "request_seconds"]
    labels = { service = "shop" }

A histogram that is named becomes its median and its 99th of 100 of what was counted since it was read before.
"""

import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from agent.collectors.custom.reading import Told, read_told
from agent.collectors.custom.text_file import open_file
from flick.address import is_loopback
from flick.custom_metrics import labels_fault, unit_of
from flick.exposition import Value, parse
from flick.histogram import quantile

ENDING = ".scrape.toml"
EVERY_S = 15.0  # as Prometheus does
WITHIN_S = 2.0  # of silence; it is on this machine
MAX_PAGE_BYTES = 1024 * 1024  # most of which is not taken
MAX_METRICS = 200
MAX_FILE_BYTES = 64 * 1024  # more than so many names have
SHARES = (0.5, 0.99)

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_PARTS = ("_bucket", "_count", "_sum", "_total", "_info")
_PIECE_BYTES = 65_536

_Labels = tuple[tuple[str, str], ...]
_Buckets = Mapping[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What such a file says.

    Attributes:
        host, port, path: where the metrics are.
        metrics: which of them are taken: names as lines begin with, or those of histograms.
        labels: put on each of them.
    """

    host: str
    port: int
    path: str
    metrics: frozenset[str]
    labels: Mapping[str, str]


def read_source(text: str) -> Source:
    """Take the text of a file. Raises ValueError saying what is wrong and how to mend it."""
    import tomllib  # 1 MB that agents without such a file do without

    told = tomllib.loads(text)
    unknown = sorted(set(told) - {"url", "metrics", "labels"})
    if unknown:
        raise ValueError(f"{unknown[0]} is no setting of it; write url, metrics and labels.")
    host, port, path = _read_url(told.get("url"))
    metrics, labels = told.get("metrics"), told.get("labels", {})
    if not isinstance(metrics, list) or not 0 < len(metrics) <= MAX_METRICS or not all(map(_is_name, metrics)):
        raise ValueError(f"metrics must be a list of 1 to {MAX_METRICS} names of metrics.")
    if not isinstance(labels, dict) or not all(isinstance(one, str) for one in labels.values()):
        raise ValueError('labels must be texts by name, as labels = { service = "shop" }.')
    if fault := labels_fault(labels):
        raise ValueError(f"labels: it {fault}")
    return Source(host=host, port=port, path=path, metrics=frozenset(metrics), labels=labels)


class Scrape:
    """Asks such a program, and takes what the file names.

    Args:
        path: the file; it is read anew each time.
    """

    def __init__(self, *, path: str) -> None:
        self._path = path
        self._buckets: dict[tuple[str, _Labels], _Buckets] = {}

    def read(self) -> Told:
        """What it tells now. Raises OSError when it does not answer, ValueError when file or answer are wrong."""
        with open_file(self._path) as file:
            source = read_source(file.read(MAX_FILE_BYTES).decode())
        at_s = time.monotonic()
        lines = fetch(source).split("\n")
        told = read_told("\n".join(_taken(lines, source.metrics)).encode(), at_s=at_s)
        counted = parse("\n".join(_buckets(lines, source.metrics)))
        values = [*told.values, *self._quantiles(counted.values)]
        return Told(at_s, tuple(_labelled(value, source.labels) for value in values))

    def _quantiles(self, counted: list[Value]) -> Iterator[Value]:
        """Of what was counted since it was read before; nothing of a histogram where nothing was, or that was reset."""
        histograms: dict[tuple[str, _Labels], dict[float, float]] = {}
        for value in counted:
            labels = dict(value.labels)
            bound = float(labels.pop("le", "inf"))
            key = (value.name.removesuffix("_bucket"), tuple(labels.items()))
            histograms.setdefault(key, {})[bound] = value.value
        before, self._buckets = self._buckets, dict(histograms)
        for (name, kept), buckets in histograms.items():
            known = before.get((name, kept))
            grown = sorted((bound, count - known.get(bound, 0.0)) for bound, count in buckets.items()) if known else []
            if any(count < 0 for _, count in grown):
                continue
            for share in SHARES:
                found = quantile(grown, share)
                yield Value(
                    line=0,
                    name=name,
                    labels=(*kept, ("quantile", f"{share:g}")),
                    value=float("nan") if found is None else found,
                    time_ms=None,
                    is_counter=False,
                    unit=unit_of(name),
                    description="",
                )


def fetch(source: Source) -> str:
    """The page. Raises OSError when there is none in time, ValueError when the answer is no page or too long."""
    head = f"GET {source.path} HTTP/1.0\r\nHost: {source.host}:{source.port}\r\nAccept: text/plain\r\n\r\n"
    answer = bytearray()
    with socket.create_connection((source.host, source.port), timeout=WITHIN_S) as connection:
        connection.sendall(head.encode("ascii"))
        until_s = time.monotonic() + 2 * WITHIN_S
        while piece := connection.recv(_PIECE_BYTES):
            answer += piece
            if len(answer) > MAX_PAGE_BYTES:
                raise ValueError(f"it tells more than {MAX_PAGE_BYTES} bytes.")
            if time.monotonic() > until_s:
                raise TimeoutError("it answers too slowly.")
    told, blank, body = bytes(answer).partition(b"\r\n\r\n")
    status = told.partition(b"\r\n")[0]
    if not blank or not re.fullmatch(rb"HTTP/1\.[01] 200( .*)?", status):
        raise ValueError(f"it answers {status[:60].decode('ascii', 'replace')!r}, not 200.")
    return body.decode()


def _read_url(url: Any) -> tuple[str, int, str]:
    """Host, port and path. Raises ValueError for what is no address on this machine."""
    fault = f"url is {url!r}; write an address on this machine, as http://127.0.0.1:9100/metrics."
    if not isinstance(url, str) or not url.isascii() or any(sign <= " " for sign in url):
        raise ValueError(fault)
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.username or not parts.hostname or not is_loopback(parts.hostname):
        raise ValueError(fault)
    return parts.hostname, parts.port or 80, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _taken(lines: list[str], metrics: frozenset[str]) -> Iterator[str]:
    """The lines of what is named, with what is said of it."""
    families = metrics | {name.removesuffix(part) for name in metrics for part in _PARTS}
    for line in lines:
        words = line.split(None, 3)
        if line.startswith("#"):
            if len(words) > 2 and words[2] in families:
                yield line
        elif _name_of(line) in metrics:
            yield line


def _buckets(lines: list[str], metrics: frozenset[str]) -> Iterator[str]:
    """The buckets of histograms that are named."""
    for line in lines:
        name = _name_of(line)
        if name.endswith("_bucket") and name.removesuffix("_bucket") in metrics:
            yield line


def _name_of(line: str) -> str:
    match = _NAME.match(line)
    return match[0] if match else ""


def _labelled(value: Value, labels: Mapping[str, str]) -> Value:
    """With these labels, which go before what it says itself."""
    return value._replace(labels=tuple(sorted({**dict(value.labels), **labels}.items())))
