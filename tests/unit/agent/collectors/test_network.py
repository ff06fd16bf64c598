"""Traffic is read out of a /proc/net/dev that this machine may not have."""

from pathlib import Path

import pytest

from agent.collectors.network import interfaces
from agent.collectors.network.interfaces import NetworkCollector
from flick.v1 import catalog_pb2 as catalog
from tests.unit.agent.collectors.moments import at

NET = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier
    lo:  100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:{0}       20    3    4    0     0          0         0     3000      30    5    6    0     0       0          0
vethab1:  7       7    0    0    0     0          0         0        7       7    0    0    0     0       0          0
docker0: {1}       5    0    0    0     0          0         0      600       6    0    0    0     0       0          0
"""


def test_counters_of_interfaces_without_loopback_and_containers_cables() -> None:
    assert interfaces.parse(NET.format(1000, 500).encode()) == {
        "eth0": (1000, 3000, 20, 30, 3, 5, 4, 6),
        "docker0": (500, 600, 5, 6, 0, 0, 0, 0),
    }


@pytest.mark.parametrize(("with_hardware", "expected"), [(True, 500.0), (False, 900.0)])
def test_the_total_counts_hardware_once(tmp_path: Path, with_hardware: bool, expected: float) -> None:
    devices, table = tmp_path / "devices", tmp_path / "net" / "dev"
    table.parent.mkdir()
    if with_hardware:
        (devices / "eth0" / "device").mkdir(parents=True)
    collector = NetworkCollector(root=tmp_path, devices=devices)
    table.write_text(NET.format(1000, 500))
    collector.collect(at(1))
    table.write_text(NET.format(2000, 1300))
    found = collector.collect(at(3))

    assert found.core[catalog.METRIC_NETWORK_RECEIVE] == expected
    assert dict(zip(found.series, found.values, strict=True))[catalog.METRIC_INTERFACE_RECEIVE, ("eth0",)] == 500.0
