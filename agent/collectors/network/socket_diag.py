"""Asks the kernel for the states of TCP sockets (sock_diag(7)), which takes a fraction of reading /proc/net/tcp."""

import os
import socket
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# As the kernel numbers the states: include/net/tcp_states.h.
SYN_SENT, SYN_RECEIVED, FIN_WAIT_1, FIN_WAIT_2 = 2, 3, 4, 5
CLOSE_WAIT, LAST_ACK, LISTEN, CLOSING = 8, 9, 10, 11

_NETLINK_SOCK_DIAG = 4
_TCPDIAG_GETSOCK = 18  # the elder request, which lists IPv4 and IPv6 in one go
_NLM_F_REQUEST, _NLM_F_DUMP = 0x1, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_REQUEST = struct.Struct("=4x48xII")  # family, lengths and a socket's identity: any; states as bits; no database
_CODE = struct.Struct("=i")
_STATE_AT, _TIMER_AT = _HEADER.size + 1, _HEADER.size + 2
_KEPT_BY_KERNEL = 3  # the timer of a socket that no program has any more and that waits for late segments
_ALIGN = 4
_ROOM_BYTES = 65_536  # more than the kernel puts into one piece


@dataclass(frozen=True, slots=True)
class Sockets:
    """How many there are.

    Args:
        by_state: by state; 0 of a state that no socket is in.
        kept_by_kernel: those among them that no program has any more.
    """

    by_state: Mapping[int, int]
    kept_by_kernel: int


class SocketDiag:
    """Lists TCP sockets of this network namespace."""

    def __init__(self) -> None:
        self._netlink: socket.socket | None = None

    def count(self, states: Iterable[int]) -> Sockets:
        """The sockets that are in some states. Raises OSError, also when the kernel lists no sockets."""
        try:
            return _count(self._pieces(sum(1 << state for state in states)))
        except OSError:
            self.close()  # what is left of an answer must not become a part of the next one
            raise

    def close(self) -> None:
        """Close the socket; the next question opens another one."""
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None

    def _pieces(self, states: int) -> Iterable[bytes]:
        if self._netlink is None:
            self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG)
        request = _REQUEST.pack(states, 0)
        length = _HEADER.size + len(request)
        self._netlink.send(_HEADER.pack(length, _TCPDIAG_GETSOCK, _NLM_F_REQUEST | _NLM_F_DUMP, 1, 0) + request)
        while True:  # the kernel has each piece ready when it is asked for; where it has none, that is an error
            yield self._netlink.recv(_ROOM_BYTES, socket.MSG_DONTWAIT)


def _count(pieces: Iterable[bytes]) -> Sockets:
    by_state: Counter[int] = Counter()
    kept_by_kernel = 0
    for piece in pieces:
        at = 0
        while at + _TIMER_AT < len(piece):
            length, kind, *_ = _HEADER.unpack_from(piece, at)
            if kind in (_NLMSG_DONE, _NLMSG_ERROR):
                (code,) = _CODE.unpack_from(piece, at + _HEADER.size)
                if code < 0:
                    raise OSError(-code, os.strerror(-code))
                return Sockets(by_state, kept_by_kernel)
            by_state[piece[at + _STATE_AT]] += 1
            kept_by_kernel += piece[at + _TIMER_AT] == _KEPT_BY_KERNEL
            at += max(_HEADER.size, (length + _ALIGN - 1) & -_ALIGN)
    raise OSError("the kernel's list of sockets has no end")
