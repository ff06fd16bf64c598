"""What psutil knows of a machine that has no Linux."""

import ipaddress
from collections.abc import Iterator

import psutil

from agent.facts.addresses import MAX_ADDRESSES
from flick.v1 import servers_pb2


def add_facts(host: servers_pb2.Host) -> None:
    """Processors, memory, start and addresses; what is not known is left empty."""
    host.cpu_logical_count = psutil.cpu_count() or 0
    host.cpu_physical_count = psutil.cpu_count(logical=False) or 0
    host.memory_limit = psutil.virtual_memory().total
    host.boot_time.seconds = int(psutil.boot_time())
    found = sorted(set(_addresses()), key=lambda one: (one.version, int(one)))
    host.addresses.extend(str(address) for address in found[:MAX_ADDRESSES])


def _addresses() -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    for interface in psutil.net_if_addrs().values():
        for one in interface:
            try:
                address = ipaddress.ip_address(one.address.partition("%")[0])
            except ValueError:  # of the hardware
                continue
            if not (address.is_loopback or address.is_link_local):
                yield address
