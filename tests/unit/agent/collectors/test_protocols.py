"""TCP, UDP and sockets, out of files that this machine may not have."""

import errno
import math
import struct
from collections.abc import Iterable
from pathlib import Path

import pytest

from agent.collectors.collector import Measured
from agent.collectors.network import socket_diag
from agent.collectors.network.connections import ConnectionsCollector
from agent.collectors.network.snmp import SnmpFile
from agent.collectors.network.socket_diag import CLOSE_WAIT, FIN_WAIT_2, LISTEN, SocketDiag, Sockets
from agent.collectors.network.sockets import SockstatFile
from agent.collectors.network.udp import UdpCollector
from flick.v1 import catalog_pb2 as catalog
from tests.unit.agent.collectors.moments import at
from tests.unit.agent.collectors.trees import grow

ESTABLISHED = 1


class Answers(SocketDiag):
    """Answers what it is given, and counts how often it is asked."""

    def __init__(self, answer: Sockets) -> None:
        super().__init__()
        self.answer = answer
        self.asked = 0

    def count(self, states: Iterable[int]) -> Sockets:
        self.asked += 1
        return self.answer


def connections(found: Measured) -> dict[str, float]:
    return {labels[0]: value for (_, labels), value in zip(found.series, found.values, strict=True)}


def machine(root: Path, *, open_now: int, gone: int) -> Path:
    return grow(
        root,
        {
            "net/snmp": f"Tcp: ActiveOpens CurrEstab\nTcp: 9 {open_now}",
            "net/sockstat": f"sockets: used 9\nTCP: inuse 5 orphan 0 tw {gone} alloc 9 mem 1",
        },
    )


def collector(root: Path, diag: SocketDiag) -> ConnectionsCollector:
    return ConnectionsCollector(snmp=SnmpFile(root=root), sockstat=SockstatFile(root=root), diag=diag)


def test_what_the_kernel_counts_together_is_told_apart(tmp_path: Path) -> None:
    diag = Answers(Sockets(by_state={CLOSE_WAIT: 3, LISTEN: 5, FIN_WAIT_2: 4}, kept_by_kernel=2))
    found = connections(collector(machine(tmp_path, open_now=100, gone=30), diag).collect(at(1)))

    assert found["established"] == 97
    assert found["time_wait"] == 28
    assert (found["close_wait"], found["listen"], found["fin_wait_2"], found["syn_sent"]) == (3, 5, 4, 0)
    assert len(found) == 10


def test_rare_states_are_asked_for_every_ten_seconds_and_the_others_each_time(tmp_path: Path) -> None:
    diag = Answers(Sockets(by_state={LISTEN: 5}, kept_by_kernel=0))
    asking = collector(machine(tmp_path, open_now=100, gone=30), diag)
    first = asking.collect(at(1))
    diag.answer = Sockets(by_state={LISTEN: 6}, kept_by_kernel=0)
    machine(tmp_path, open_now=200, gone=31)
    later = [connections(asking.collect(at(second))) for second in (2, 9, 10.9)]

    assert [one["listen"] for one in later] == [5, 5, 6]
    assert [one["established"] for one in later] == [200, 200, 200]
    assert diag.asked == 2
    assert asking.collect(at(12)).series is first.series


def test_counters_that_are_not_there_are_holes(tmp_path: Path) -> None:
    root = grow(tmp_path, {"net/snmp": "Udp: InDatagrams\nUdp: 1", "net/sockstat": "sockets: used 9"})
    found = connections(collector(root, Answers(Sockets(by_state={}, kept_by_kernel=0))).collect(at(1)))

    assert math.isnan(found["established"])
    assert math.isnan(found["time_wait"])
    assert found["listen"] == 0


def message(kind: int, payload: bytes) -> bytes:
    length = 16 + len(payload)
    return (struct.pack("=IHHII", length, kind, 2, 1, 0) + payload).ljust((length + 3) & -4, b"\0")


def listed(state: int, *, timer: int = 0) -> bytes:
    return message(20, struct.pack("=BBBB", 2, state, timer, 0) + bytes(69))


def test_sockets_are_counted_over_several_pieces_of_an_answer() -> None:
    pieces = [
        listed(LISTEN) + listed(LISTEN) + listed(ESTABLISHED),
        listed(FIN_WAIT_2, timer=3),
        listed(LISTEN) + message(3, struct.pack("=i", 0)),
    ]
    found = socket_diag._count(pieces)

    assert found.by_state == {LISTEN: 3, ESTABLISHED: 1, FIN_WAIT_2: 1}
    assert found.kept_by_kernel == 1


@pytest.mark.parametrize("kind", [2, 3])
def test_a_kernel_that_lists_no_sockets_says_so(kind: int) -> None:
    with pytest.raises(FileNotFoundError):
        socket_diag._count([listed(LISTEN), message(kind, struct.pack("=i", -errno.ENOENT))])


def test_an_answer_without_an_end_is_an_error() -> None:
    with pytest.raises(OSError, match="no end"):
        socket_diag._count([listed(LISTEN), b"", b"x" * 7])


def udp(root: Path, *, v4: tuple[int, int, int, int], v6: tuple[int, int, int, int] | None) -> Path:
    names = ("InDatagrams", "OutDatagrams", "InErrors", "SndbufErrors")
    grow(root, {"net/snmp": f"Udp: {' '.join(names)}\nUdp: {' '.join(map(str, v4))}"})
    if v6 is not None:
        lines = [f"Udp6{name:<28}\t{value}" for name, value in zip(names, v6, strict=True)]
        grow(root, {"net/snmp6": "\n".join(["Ip6InReceives                   \t99", *lines])})
    return root


@pytest.mark.parametrize(("with_v6", "expected"), [(True, (3.0, 30.0, 306.0)), (False, (1.0, 10.0, 101.0))])
def test_datagrams_of_both_protocols_are_added_up(tmp_path: Path, with_v6: bool, expected: tuple[float, ...]) -> None:
    root = udp(tmp_path, v4=(10, 20, 30, 40), v6=(1000, 2000, 3000, 4000) if with_v6 else None)
    asking = UdpCollector(snmp=SnmpFile(root=root), root=root)
    first = asking.collect(at(1))
    udp(tmp_path, v4=(12, 40, 230, 42), v6=(1004, 2040, 3400, 4010) if with_v6 else None)
    found = asking.collect(at(3)).core

    assert all(math.isnan(value) for value in first.core.values())
    assert (
        found[catalog.METRIC_UDP_RECEIVE],
        found[catalog.METRIC_UDP_TRANSMIT],
        found[catalog.METRIC_UDP_ERRORS],
    ) == expected
