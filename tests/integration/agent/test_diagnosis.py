"""When ingest can't be reached, the agent says what is wrong and how to mend it."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from agent.errors import AgentError
from agent.network.diagnosis import Diagnosis, Problem
from agent.network.probe import Probe
from agent.network.probe_process import probe_apart
from tests.integration.agent.certificates import DAY, Authority, Issued
from tests.integration.agent.ingest import ScriptedIngest, Visit, serving
from tests.integration.agent.web import web

HOUR = timedelta(hours=1)


async def diagnose(address: str, ca_pem: str, **more: object) -> Diagnosis | None:
    probe = Probe(address=address, ca_pem=ca_pem, **more)  # type: ignore[arg-type]
    return await asyncio.to_thread(lambda: probe.run(now=datetime.now(UTC)))


@asynccontextmanager
async def ingest(tls: Issued | None, host: str = "127.0.0.1") -> AsyncIterator[str]:
    async with serving(ScriptedIngest(Visit.until_gone), tls=tls, host=host) as address:
        yield address


@contextmanager
def listening(*, backlog: int | None) -> Iterator[str]:
    """A port that is taken; nobody listens there unless a backlog is given."""
    with socket.socket() as plain:
        plain.bind(("127.0.0.1", 0))
        if backlog is not None:
            plain.listen(backlog)
        yield f"127.0.0.1:{plain.getsockname()[1]}"


async def test_where_all_is_well_there_is_nothing_to_say(authority: Authority, tls: Issued) -> None:
    async with ingest(tls) as address:
        assert await diagnose(address, authority.pem) is None


async def test_a_name_that_is_not_resolved() -> None:
    found = await diagnose("no-such-host.invalid:443", "")

    assert found is not None
    assert found.problem is Problem.NAME_NOT_RESOLVED
    assert "no-such-host.invalid" in found.text
    assert "DNS" in found.text


async def test_a_connection_that_is_refused() -> None:
    with listening(backlog=None) as address:
        found = await diagnose(address, "")

    assert found is not None
    assert found.problem is Problem.CONNECTION_REFUSED
    assert address in found.text


async def test_an_address_that_does_not_answer() -> None:
    with listening(backlog=0) as address:
        host, port = address.split(":")
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # a full backlog has the kernel drop further connections in silence
            filler.setblocking(False)
            filler.connect_ex((host, int(port)))
        found = await diagnose(address, "", timeout_s=0.5)
        for filler in fillers:
            filler.close()

    assert found is not None
    assert found.problem is Problem.NO_ANSWER
    assert "firewall" in found.text


async def test_a_plaintext_port_where_tls_is_needed(authority: Authority) -> None:
    async with ingest(None) as address:
        found = await diagnose(address, authority.pem)

    assert found is not None
    assert found.problem is Problem.NOT_TLS
    assert "plaintext" in found.text


async def test_a_plain_web_server_where_tls_is_needed(authority: Authority) -> None:
    with web(tls=None) as site:
        found = await diagnose(site.address, authority.pem)

    assert found is not None
    assert found.problem is Problem.NOT_TLS


async def test_a_port_that_accepts_and_says_nothing(authority: Authority) -> None:
    with listening(backlog=5) as address:
        found = await diagnose(address, authority.pem, timeout_s=0.5)

    assert found is not None
    assert found.problem is Problem.NOT_TLS


async def test_an_authority_that_is_not_trusted(tls: Issued) -> None:
    async with ingest(tls) as address:
        found = await diagnose(address, Authority().pem)

    assert found is not None
    assert found.problem is Problem.UNKNOWN_AUTHORITY
    assert "enroll this server again" in found.text


async def test_an_own_authority_where_only_the_systems_are_trusted(tls: Issued) -> None:
    async with ingest(tls) as address:
        found = await diagnose(address, "")

    assert found is not None
    assert found.problem is Problem.UNKNOWN_AUTHORITY


async def test_a_certificate_for_other_names(authority: Authority) -> None:
    async with ingest(authority.issue("flick.example", "192.0.2.7")) as address:
        found = await diagnose(address, authority.pem)

    assert found is not None
    assert found.problem is Problem.WRONG_NAME
    assert "flick.example, 192.0.2.7, not for 127.0.0.1" in found.text


async def test_a_certificate_that_ended(authority: Authority) -> None:
    async with ingest(authority.issue(begins_in=-2 * DAY, ends_in=-DAY)) as address:
        found = await diagnose(address, authority.pem)

    assert found is not None
    assert found.problem is Problem.CERTIFICATE_DATES
    assert "renew the certificate" in found.text


async def test_a_certificate_that_begins_later_tells_how_far_the_clock_is_behind(authority: Authority) -> None:
    async with ingest(authority.issue(begins_in=HOUR, ends_in=DAY)) as address:
        found = await diagnose(address, authority.pem)

    assert found is not None
    assert found.problem is Problem.CERTIFICATE_DATES
    assert any(f"at least {seconds} s behind" in found.text for seconds in range(3590, 3601))


async def test_a_web_server_where_grpc_is_needed(authority: Authority, tls: Issued) -> None:
    with web(tls=tls) as site:
        found = await diagnose(site.address, authority.pem)
        as_web = await diagnose(site.address, authority.pem, protocol="")

    assert found is not None
    assert found.problem is Problem.NOT_GRPC
    assert "gateway" in found.text
    assert as_web is None


@pytest.mark.parametrize("address", ["", "nowhere", ":1", "host:", "host:x", "host:0", "host:65536", "host:1234567"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(AgentError, match="host:port"):
        Probe(address=address, ca_pem="")


async def test_in_a_process_of_its_own_a_probe_says_the_same(authority: Authority, tls: Issued) -> None:
    now = datetime.now(UTC)
    ended = authority.issue(begins_in=-2 * DAY, ends_in=-DAY)
    found = []
    async with ingest(tls) as well, ingest(ended) as late:
        for address in (well, late):
            here = await asyncio.to_thread(Probe(address=address, ca_pem=authority.pem).run, now=now)
            found.append((await probe_apart(address=address, ca_pem=authority.pem, now=now), here))
    (well_apart, well_here), (late_apart, late_here) = found

    assert well_apart is well_here is None
    assert late_apart == late_here
    assert late_apart is not None
    assert late_apart.problem is Problem.CERTIFICATE_DATES


async def test_a_probe_that_finds_nothing_out_in_time_leaves_no_process(authority: Authority) -> None:
    with listening(backlog=8) as address:
        found = await probe_apart(address=address, ca_pem=authority.pem, now=datetime.now(UTC), within_s=0.5)
    command_lines = [" ".join(child.cmdline()) for child in psutil.Process().children()]

    assert found is None
    assert not [line for line in command_lines if "agent.network" in line]


def test_an_agent_that_asks_why_it_has_no_connection_stays_without_openssl() -> None:
    with listening(backlog=None) as address:
        program = f"""
import agent.__main__, agent.agent, asyncio, sys
from datetime import UTC, datetime
from agent.network.probe_process import probe_apart
print(asyncio.run(probe_apart(address="{address}", ca_pem="", now=datetime.now(UTC))).text)
print(*sys.modules)
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    text, modules = done.stdout.splitlines()

    assert "refuses connections" in text
    assert "agent.network.probe_process" in modules.split()
    assert not {"ssl", "_ssl"} & set(modules.split())
