"""What agents tell of their hosts after they have joined, as ingest passes it on."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from flick.errors import Kind
from flick.ids import new_id
from flick.v1 import access_pb2, servers_pb2
from services.auth.servicers.access import MAX_REPORTS
from tests.integration.auth.house import AuthHouse, Person, refusal
from tests.integration.auth.test_servers import delete, get, list_servers

NEWER = servers_pb2.Host(
    hostname="db-1b",
    os_type="linux",
    os_description="Debian GNU/Linux 13 (trixie)",
    arch="amd64",
    kernel_release="6.12.38-amd64",
    cpu_model="AMD EPYC 9354",
    cpu_logical_count=16,
    cpu_physical_count=8,
    memory_limit=2**35,
    virtualization="kvm",
    addresses=["192.0.2.7", "2001:db8::7"],
    boot_time=Timestamp(seconds=1_795_000_000),
    machine_id="0123456789abcdef" * 2,
)


def report(server_id: str, host: servers_pb2.Host = NEWER, *, version: str = "0.2.0") -> access_pb2.HostReport:
    return access_pb2.HostReport(server_id=server_id, host=host, agent_version=version)


async def tell(
    house: AuthHouse, *reports: access_pb2.HostReport, service: str = "ingest"
) -> list[access_pb2.HostRefusal]:
    request = access_pb2.ReportHostsRequest(reports=reports)
    return list((await house.access.ReportHosts(request, metadata=house.service_metadata(service))).refused)


async def revision(house: AuthHouse) -> int:
    answer = await house.access.LookUpAccess(access_pb2.LookUpAccessRequest(), metadata=house.service_metadata())
    return int(answer.revision)


async def test_what_a_host_is_now_takes_the_place_of_what_it_was(house: AuthHouse, owner: Person) -> None:
    server_id = (await house.server(owner)).server.server_id

    refused = await tell(house, report(server_id))

    server = await get(house, owner, server_id)
    assert refused == []
    assert (server.host, server.agent_version) == (NEWER, "0.2.0")
    assert server.display_name == "db-1"  # people gave it, or the host name that it joined with
    found = await list_servers(house, owner, filter="hostname = db-1b")
    assert [one.server_id for one in found.servers] == [server_id]


async def test_what_the_agent_does_not_know_any_more_is_forgotten(house: AuthHouse, owner: Person) -> None:
    server_id = (await house.server(owner)).server.server_id
    await tell(house, report(server_id))
    await tell(house, report(server_id, servers_pb2.Host(hostname="db-1b"), version=""))

    server = await get(house, owner, server_id)
    assert (server.host, server.agent_version) == (servers_pb2.Host(hostname="db-1b"), "")


async def test_it_is_told_when_a_host_changed_last(house: AuthHouse, owner: Person) -> None:
    server_id = (await house.server(owner)).server.server_id
    new = await get(house, owner, server_id)
    before = datetime.now(UTC)
    await tell(house, report(server_id))
    changed = await get(house, owner, server_id)
    await tell(house, report(server_id))  # the same again, as at every Hello

    assert not new.HasField("host_change_time")
    assert changed.host_change_time.ToDatetime(tzinfo=UTC) >= before
    assert (await get(house, owner, server_id)).host_change_time == changed.host_change_time


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"host": servers_pb2.Host(kernel_release="6" * 201)}, "host.kernel_release"),
        ({"host": servers_pb2.Host(cpu_model="a\0b")}, "host.cpu_model"),
        ({"host": servers_pb2.Host(addresses=["nowhere"])}, "host.addresses"),
        ({"host": servers_pb2.Host(addresses=["192.0.2.1"] * 33)}, "host.addresses"),
        ({"version": "1" * 101}, "agent_version"),
    ],
    ids=["too long", "control characters", "no address", "too many", "version too long"],
)
async def test_a_report_that_can_not_be_is_refused_by_field_and_the_others_are_taken(
    house: AuthHouse, owner: Person, told: dict[str, Any], field: str
) -> None:
    bad, good = [(await house.server(owner)).server.server_id for _ in range(2)]
    before = await get(house, owner, bad)

    refused = await tell(house, report(bad, **told), report(good))

    assert [one.server_id for one in refused] == [bad]
    assert refused[0].detail.startswith(f"{field}: ")
    assert await get(house, owner, bad) == before
    assert (await get(house, owner, good)).host == NEWER


async def test_servers_that_are_not_there_are_passed_over(house: AuthHouse, owner: Person) -> None:
    gone, here = [(await house.server(owner)).server.server_id for _ in range(2)]
    await delete(house, owner, gone)

    refused = await tell(house, report(gone), report(str(new_id())), report("x"), report(here))

    assert refused == []
    assert (await get(house, owner, here)).host == NEWER


async def test_of_two_reports_of_a_server_the_last_counts(house: AuthHouse, owner: Person) -> None:
    server_id = (await house.server(owner)).server.server_id
    await tell(house, report(server_id, servers_pb2.Host(hostname="first")), report(server_id))

    assert (await get(house, owner, server_id)).host == NEWER


async def test_services_need_not_hear_of_it(house: AuthHouse, owner: Person) -> None:
    server_id = (await house.server(owner)).server.server_id
    before = await revision(house)
    await tell(house, report(server_id))

    assert await revision(house) == before


async def test_many_reports_at_once_hold_nobody_up(house: AuthHouse, owner: Person) -> None:
    servers = [(await house.server(owner)).server.server_id for _ in range(20)]

    async def tell_all(order: list[str], name: str) -> list[access_pb2.HostRefusal]:
        return await tell(house, *(report(one, servers_pb2.Host(hostname=name)) for one in order))

    answers = await asyncio.gather(*(tell_all(servers[:: 1 if turn % 2 else -1], f"host-{turn}") for turn in range(10)))

    assert answers == [[]] * 10


async def test_only_ingest_may_tell_and_not_everything_at_once(house: AuthHouse, owner: Person) -> None:
    server_id = (await house.server(owner)).server.server_id

    denied = await refusal(tell(house, report(server_id), service="query"))
    too_many = await refusal(tell(house, *[report(server_id)] * (MAX_REPORTS + 1)))

    assert denied.kind is Kind.PERMISSION_DENIED
    assert (too_many.kind, too_many.violations[0].field) == (Kind.INVALID_ARGUMENT, "reports")
