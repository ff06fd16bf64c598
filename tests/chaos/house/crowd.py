"""Agents of the same kind for one test, as many as it wants."""

import random
from collections.abc import Sequence
from pathlib import Path

from services.ingest.streams.times import StreamTimes
from tests.chaos.load import LoadAgent
from tests.integration.agent.certificates import Authority
from tests.tiny_auth import Enrolled, TinyAuth

SILENT_S = StreamTimes().silent_after_s


def crowd(
    auth: TinyAuth,
    *,
    count: int,
    address: str,
    rng: random.Random,
    interval_s: float,
    authority: Authority | None = None,
    backoff_cap_s: float = 1.0,
    silent_s: float = SILENT_S,
) -> list[LoadAgent]:
    """Agents of servers that are enrolled just now."""
    enrolled: Sequence[Enrolled] = [auth.enroll() for _ in range(count)]
    return [
        LoadAgent(
            address=address,
            key=one.key,
            server_id=one.server_id,
            ca_pem=authority.pem.encode() if authority else None,
            interval_s=interval_s,
            rng=random.Random(rng.random()),
            backoff_cap_s=backoff_cap_s,
            silent_s=silent_s,
        )
        for one in enrolled
    ]


def tls_settings(authority: Authority, folder: Path) -> dict[str, str]:
    """What ingest is told to serve with a certificate of this authority."""
    issued = authority.issue()
    certificate, key = folder / "server.pem", folder / "server.key"
    certificate.write_text(issued.certificate_pem)
    key.write_text(issued.key_pem)
    return {"FLICK_INGEST_TLS_CERT_FILE": str(certificate), "FLICK_INGEST_TLS_KEY_FILE": str(key)}
