"""What is known of a host is kept as JSON and comes back as it was."""

import json

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from flick.v1 import servers_pb2
from services.auth.store import host_facts

COLUMNS = {"hostname", "os_type", "os_description", "arch"}  # of auth.servers
texts = st.text(st.characters(codec="utf-8"), max_size=20)
hosts = st.builds(
    servers_pb2.Host,
    kernel_release=texts,
    cpu_model=texts,
    cpu_logical_count=st.integers(0, 2**32 - 1),
    cpu_physical_count=st.integers(0, 2**32 - 1),
    memory_limit=st.integers(0, 2**63 - 1),
    virtualization=texts,
    machine_id=texts,
    addresses=st.lists(texts, max_size=3),
    boot_time=st.none() | st.builds(Timestamp, seconds=st.integers(0, 253_402_300_799)),
)


@given(hosts)
def test_facts_come_back_as_they_were(host: servers_pb2.Host) -> None:
    found = servers_pb2.Host()
    host_facts.unpack(host_facts.pack(host), found)

    assert found == host


def test_every_fact_of_the_contract_is_kept() -> None:
    host = servers_pb2.Host(addresses=["192.0.2.1"], boot_time=Timestamp(seconds=1))
    for field in host.DESCRIPTOR.fields:
        if field.name not in COLUMNS | {"addresses", "boot_time"}:
            setattr(host, field.name, "x" if field.type == field.TYPE_STRING else 1)

    assert json.loads(host_facts.pack(host)).keys() == {field.name for field in host.DESCRIPTOR.fields} - COLUMNS


def test_a_fact_of_a_later_version_is_left_out() -> None:
    found = servers_pb2.Host()
    host_facts.unpack('{"cpu_model": "Fast", "colour": "red"}', found)

    assert found == servers_pb2.Host(cpu_model="Fast")
