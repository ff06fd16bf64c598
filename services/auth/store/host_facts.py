"""What an agent knows of its host beyond its name and kind, as the column `auth.servers.host_facts` keeps it."""

import json
from typing import Any

from flick.v1 import servers_pb2

_PLAIN = (
    "kernel_release",
    "cpu_model",
    "cpu_logical_count",
    "cpu_physical_count",
    "memory_limit",
    "virtualization",
    "machine_id",
)


def pack(host: servers_pb2.Host) -> str:
    """The facts as JSON; what is not known is left out."""
    facts: dict[str, Any] = {name: value for name in _PLAIN if (value := getattr(host, name))}
    if host.addresses:
        facts["addresses"] = list(host.addresses)
    if host.HasField("boot_time"):
        facts["boot_time"] = host.boot_time.seconds
    return json.dumps(facts)


def unpack(text: str, host: servers_pb2.Host) -> None:
    """Put the facts into `host`. Those of a later version are left out."""
    facts: dict[str, Any] = json.loads(text)
    for name in _PLAIN:
        if name in facts:
            setattr(host, name, facts[name])
    host.addresses.extend(facts.get("addresses", ()))
    if "boot_time" in facts:
        host.boot_time.seconds = facts["boot_time"]
