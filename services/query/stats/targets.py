"""Where FLick's processes tell of themselves, and how their pages are read."""

import http.client
from collections.abc import Sequence
from dataclasses import dataclass

from flick.address import split

WITHIN_S = 1.0  # a page takes milliseconds
MAX_PAGE_BYTES = 1024 * 1024  # the largest, ingest's, has 40 KB


@dataclass(frozen=True, slots=True)
class Target:
    """A process: what it is, and the host:port of its /metrics."""

    service: str
    address: str


def parse_targets(texts: Sequence[str]) -> Sequence[Target]:
    """`SERVICE=HOST:PORT` each. Raises ValueError naming one that is none."""
    return [_parse(text) for text in texts]


def _parse(text: str) -> Target:
    service, equals, address = text.partition("=")
    try:
        split(address)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is no process with its /metrics ({error}); write as ingest=127.0.0.1:9102"
        ) from error
    if not service or not equals:
        raise ValueError(f"{text!r} names no service; write as ingest=127.0.0.1:9102")
    return Target(service=service, address=address)


def fetch(target: Target) -> str:
    """The page. Raises OSError, ValueError or http.client.HTTPException when it can't be had in time."""
    host, port = split(target.address)
    connection = http.client.HTTPConnection(host, port, timeout=WITHIN_S)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read(MAX_PAGE_BYTES + 1)
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK or len(text) > MAX_PAGE_BYTES:
        raise ValueError(f"{target.address} answers {answer.status} with {len(text)} bytes")
    return text.decode()
