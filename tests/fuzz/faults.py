"""Ways to speak wrongly, by name, and how ingest answers each."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from flick.v1 import ingest_pb2, telemetry_pb2
from tests.fuzz.material import LIVE, Request, batch, gap, hello, layout, logs, processes, sample

MAX_UINT64 = 2**64 - 1
MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Frames behind Hello, and what is to be heard; an empty expectation expects nothing of the kind."""

    frames: Sequence[bytes] = ()
    hello: bytes = b""
    acked: int = 0
    rejected: str = ""
    left_out: str = ""
    fatal: str = ""
    code: grpc.StatusCode = grpc.StatusCode.OK


def _refused(*frames: bytes, code: str = "PROTOCOL", acked: int = 0, opening: bytes = b"") -> Fault:
    status = grpc.StatusCode.INVALID_ARGUMENT
    return Fault(frames=frames, hello=opening, fatal=code, acked=acked, code=status)


def _malformed(*frames: bytes) -> Fault:
    return _refused(*frames, code="MALFORMED")


def _rejected(reason: str, *frames: bytes, acked: int = 1) -> Fault:
    return Fault(frames=frames, rejected=reason, acked=acked)


def _odd(core: Sequence[float] = (0.5,), **more: object) -> bytes:
    return batch(1, sample(core, **more))


def _of_time(time_ns: int) -> bytes:
    return batch(1, sample(time_unix_nano=time_ns))


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited field."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _nested(depth: int) -> bytes:
    """A message in a message and so on; the contract knows none of them."""
    inner = b""
    for _ in range(depth):
        inner = _field(100, inner)
    return inner


def _groups(depth: int) -> bytes:
    return b"\xa3\x06" * depth + b"\xa4\x06" * depth  # start and end of group 100


def _lane(lane: int, seq: int) -> ingest_pb2.LanePosition:
    return ingest_pb2.LanePosition(lane=lane, seq=seq)  # type: ignore[arg-type]


def _for_viewers(samples: list[telemetry_pb2.Sample]) -> bytes:
    return Request(live_batch=ingest_pb2.LiveBatch(samples=samples)).SerializeToString()


def _many_processes(count: int, **more: object) -> bytes:
    return processes(*(telemetry_pb2.Process(pid=number, **more) for number in range(count)))  # type: ignore[arg-type]


PLAIN = batch(1)
DEEP = _groups(10_000)
EARLIEST = Timestamp(seconds=-(2**63), nanos=-(2**31))
LATEST = Timestamp(seconds=2**63 - 1, nanos=2**31 - 1)
SERIES = [(520, [f"eth{number}"]) for number in range(2001)]
WORDY = [(520, [f"{number}" + "x" * 1000]) for number in range(70)]
FAULTS = {
    "bytes that are no frame": _malformed(b"\xff" * 100),
    "a frame that ends too early": _malformed(PLAIN[:-3]),
    "a length beyond the end": _malformed(_varint(2 << 3 | 2) + _varint(2**31) + b"x"),
    "a varint without an end": _malformed(b"\x80" * 11),
    "an empty frame": Fault(frames=[b"", PLAIN], acked=1),
    "a frame of a later version": Fault(frames=[_field(900, b"new"), PLAIN], acked=1),
    "unknown fields": Fault(frames=[PLAIN + _field(900, b"new"), batch(2)], acked=2),
    "three megabytes of unknown fields": Fault(frames=[PLAIN + _field(900, bytes(3 * MIB))], acked=1),
    "messages nested ten thousand deep": Fault(frames=[PLAIN + _nested(10_000)], acked=1),
    "groups nested ten thousand deep": _malformed(PLAIN + DEEP),
    "groups nested fifty deep": Fault(frames=[PLAIN + _groups(50)], acked=1),
    "text that is not UTF-8": _malformed(
        _field(2, b"\x08\x01\x10\x01" + _field(3, b"\x08\x01" + _field(2, b"\x08\xf4\x03" + _field(2, b"\xff\xfe"))))
    ),
    "core of a length that is no multiple of eight": _malformed(_field(2, _field(4, _field(2, b"1234567")))),
    "a message of five megabytes": Fault(frames=[_field(900, bytes(5 * MIB))], code=grpc.StatusCode.RESOURCE_EXHAUSTED),
    "NaN is a value that was not measured": Fault(frames=[_odd([math.nan])], acked=1),
    "negative values are values": Fault(frames=[_odd([-1.0, -0.0])], acked=1),
    "infinity": _rejected("MALFORMED", _odd([math.inf])),
    "infinity among NaN": _rejected("MALFORMED", _odd([math.nan, -math.inf])),
    "the largest double": _rejected("MALFORMED", _odd([1.7e308])),
    "more core values than metrics": Fault(frames=[_odd([0.5] * 50_000)], acked=1),
    "labelled infinity": _rejected(
        "MALFORMED", batch(1, sample(layout_id=1, labelled=[math.inf]), layouts=[layout(1, (500, ["0"]))])
    ),
    "the largest labelled value": Fault(
        frames=[batch(1, sample(layout_id=1, labelled=[3.4e38]), layouts=[layout(1, (500, ["0"]))])], acked=1
    ),
    "time 0": _rejected("TOO_OLD", _of_time(0)),
    "time 1": _rejected("TOO_OLD", _of_time(1)),
    "time 2^63": _rejected("FUTURE", _of_time(2**63)),
    "time 2^63 - 1": _rejected("FUTURE", _of_time(2**63 - 1)),
    "time 2^64 - 1": _rejected("FUTURE", _of_time(MAX_UINT64)),
    "a thousand and one samples": _rejected("MALFORMED", batch(1, *(sample() for _ in range(1001)))),
    "seq 0": _refused(batch(0)),
    "seq 2^63": _refused(batch(2**63)),
    "seq 2^64 - 1": _refused(batch(MAX_UINT64)),
    "the last seq that there is": Fault(hello=hello(live=MAX_UINT64), frames=[batch(MAX_UINT64)], acked=MAX_UINT64),
    "beyond the last seq": _refused(batch(MAX_UINT64), batch(0), opening=hello(live=MAX_UINT64), acked=-1),
    "the same frame twice": _refused(PLAIN, PLAIN, acked=-1),
    "a frame left out": _refused(PLAIN, batch(3), acked=-1),
    "frames in the wrong order": _refused(batch(2), PLAIN),
    "no lane": _refused(batch(1, lane=0)),
    "a lane of a later version": _refused(batch(1, lane=99)),
    "a negative lane": _refused(batch(1, lane=-1)),
    "a gap in no lane": _refused(gap(1, lane=0)),
    "more than the credits": _refused(*(batch(seq) for seq in range(1, 500)), acked=-1),
    "hello twice": _refused(hello()),
    "no hello": Fault(hello=PLAIN, code=grpc.StatusCode.INVALID_ARGUMENT),
    "bytes instead of hello": Fault(hello=b"\xff" * 9, code=grpc.StatusCode.INVALID_ARGUMENT),
    "nothing instead of hello": Fault(hello=_field(900, b"new"), code=grpc.StatusCode.INVALID_ARGUMENT),
    "hello with lane 7": _refused(opening=hello(lanes=[_lane(7, 1)])),
    "hello with a negative lane": _refused(opening=hello(lanes=[_lane(-1, 1)])),
    "hello with seq 0": _refused(opening=hello(live=0)),
    "hello with a lane twice": _refused(opening=hello(lanes=[_lane(LIVE, 1), _lane(LIVE, 2)])),
    "hello with ten thousand lanes": _refused(opening=hello(lanes=[_lane(LIVE, 1)] * 10_000)),
    "hello without lanes": _refused(PLAIN, opening=hello(lanes=[])),
    "hello from before the epoch": Fault(hello=hello(send_time=EARLIEST), frames=[PLAIN], acked=1),
    "hello from far away": Fault(hello=hello(send_time=LATEST), frames=[PLAIN], acked=1),
    "hello with NUL and a megabyte of version": Fault(
        hello=hello(spool_id="a\0b", agent_version="\0" * MIB), frames=[PLAIN], acked=1
    ),
    "hello with an absurd spool": Fault(
        hello=hello(
            spool=ingest_pb2.SpoolStatus(
                held_samples=MAX_UINT64,
                taken_samples=MAX_UINT64,
                oldest_time=EARLIEST,
                degraded_reason="\0" * 9999,
            )
        ),
        frames=[PLAIN],
        acked=1,
    ),
    "an absurd pong": Fault(
        frames=[
            Request(
                pong=ingest_pb2.Pong(
                    ping_id=MAX_UINT64,
                    spool=ingest_pb2.SpoolStatus(held_bytes=MAX_UINT64, oldest_time=LATEST),
                )
            ).SerializeToString(),
            PLAIN,
        ],
        acked=1,
    ),
    "output of a command that nobody gave": Fault(
        frames=[Request(command_output=ingest_pb2.CommandOutput(data=bytes(MIB))).SerializeToString(), PLAIN], acked=1
    ),
    "a layout's number given twice": _refused(batch(1, layouts=[layout(1, (500, ["0"])), layout(1, (500, ["1"]))])),
    "a layout's number given again later": _refused(
        batch(1, layouts=[layout(1, (500, ["0"]))]), batch(2, layouts=[layout(1, (500, ["1"]))]), acked=-1
    ),
    "layout 0": _refused(batch(1, layouts=[layout(0, (500, ["0"]))])),
    "more layouts than a stream may have": _refused(
        batch(1, layouts=[layout(number, (520, [f"{number}"])) for number in range(1, 400)])
    ),
    "a layout that was not declared": _rejected("LAYOUT", _odd(layout_id=7, labelled=[1.0])),
    "values without a layout": _rejected("LAYOUT", _odd(labelled=[1.0])),
    "values that do not fit their layout": _rejected(
        "LAYOUT", batch(1, sample(layout_id=1, labelled=[1.0, 2.0]), layouts=[layout(1, (500, ["0"]))])
    ),
    "a scalar metric in a layout": _rejected(
        "LAYOUT", batch(1, sample(layout_id=1, labelled=[1.0]), layouts=[layout(1, (1, []))])
    ),
    "a negative metric in a layout": _rejected(
        "LAYOUT", batch(1, sample(layout_id=1, labelled=[1.0]), layouts=[layout(1, (-(2**31), ["0"]))])
    ),
    "a metric of a later version": Fault(
        frames=[batch(1, sample(layout_id=1, labelled=[1.0]), layouts=[layout(1, (2**31 - 1, ["a", "b"]))])], acked=1
    ),
    "too few label values": _rejected(
        "LAYOUT", batch(1, sample(layout_id=1, labelled=[1.0]), layouts=[layout(1, (500, []))])
    ),
    "a series twice": _rejected(
        "LAYOUT", batch(1, sample(layout_id=1, labelled=[1.0] * 2), layouts=[layout(1, *[(500, ["0"])] * 2)])
    ),
    "NUL in a label": Fault(
        frames=[batch(1, sample(layout_id=1, labelled=[1.0]), layouts=[layout(1, (520, ["e\0th"]))])], acked=1
    ),
    "two thousand and one series": Fault(
        frames=[batch(1, sample(layout_id=1, labelled=[1.0] * 2001), layouts=[layout(1, *SERIES)])],
        acked=1,
        left_out="SERIES",
    ),
    "labels of 70 KiB": Fault(
        frames=[batch(1, sample(layout_id=1, labelled=[1.0] * 70), layouts=[layout(1, *WORDY)])],
        acked=1,
        left_out="TEXT",
    ),
    "processes that are no snapshot": Fault(frames=[_odd(processes=b"\xff" * 9)], acked=1, left_out="MALFORMED"),
    "a process whose name is not UTF-8": Fault(
        frames=[_odd(processes=_field(1, b"\x08\x01" + _field(2, b"\xff\xfe")))], acked=1, left_out="MALFORMED"
    ),
    "processes cut short": Fault(frames=[_odd(processes=processes()[:-2])], acked=1, left_out="MALFORMED"),
    "processes nested ten thousand deep": Fault(frames=[_odd(processes=DEEP)], acked=1, left_out="MALFORMED"),
    "a process with NaN of processor time": Fault(
        frames=[_odd(processes=_many_processes(1, cpu_utilization=math.nan))], acked=1, left_out="MALFORMED"
    ),
    "a process with less than no processor time": Fault(
        frames=[_odd(processes=_many_processes(3, cpu_utilization=-1.0))], acked=1, left_out="MALFORMED"
    ),
    "ten thousand processes": Fault(frames=[_odd(processes=_many_processes(10_000))], acked=1, left_out="PROCESSES"),
    "processes with a megabyte of command": Fault(
        frames=[_odd(processes=_many_processes(2, command="x" * MIB))], acked=1, left_out="TEXT"
    ),
    "a negative pid": Fault(
        frames=[_odd(processes=processes(telemetry_pb2.Process(pid=-(2**31), memory_rss=MAX_UINT64)))], acked=1
    ),
    "a gap that ends before it begins": Fault(frames=[gap(1, start_s=10, end_s=5)], rejected="MALFORMED", acked=1),
    "a gap before the epoch": Fault(frames=[gap(1, start_s=-(2**63))], rejected="MALFORMED", acked=1),
    "a gap beyond all time": Fault(frames=[gap(1, end_s=2**63 - 1)], rejected="MALFORMED", acked=1),
    "a gap that lasts for ever": Fault(frames=[gap(1, start_s=0, end_s=253_402_300_799)], acked=1),
    "a gap for a reason of a later version": Fault(
        frames=[gap(1, reason=2**31 - 1, dropped_samples=MAX_UINT64), gap(2, reason=-1)], acked=2
    ),
    "logs": _rejected("UNSUPPORTED", logs(1)),
    "two hundred thousand log records": _rejected(
        "UNSUPPORTED", _field(3, b"\x08\x01\x10\x01" + b"\x1a\x00" * 200_000)
    ),
    "a batch without samples": Fault(frames=[_field(2, b"\x08\x01\x10\x01"), batch(2)], acked=2),
    "samples for viewers of a layout that was not declared": Fault(
        frames=[
            _for_viewers([sample(layout_id=9, labelled=[1.0])]),
            PLAIN,
        ],
        acked=1,
    ),
    "five thousand samples for viewers": Fault(frames=[_for_viewers([sample()] * 5000), PLAIN], acked=1),
    "samples for viewers of time 2^64 - 1": Fault(
        frames=[
            _for_viewers([sample(time_unix_nano=MAX_UINT64)]),
            PLAIN,
        ],
        acked=1,
    ),
    "two frames in one": Fault(frames=[PLAIN + batch(1, sample([0.75])), batch(2)], acked=2),
    "another kind of frame in the same bytes": Fault(frames=[PLAIN + gap(1, lane=LIVE), batch(2)], acked=2),
    "numbers of the wrong wire type": Fault(
        frames=[_field(2, struct.pack("<BI", 0x0D, 1) + b"\x10\x01"), batch(1)],
        fatal="PROTOCOL",
        code=grpc.StatusCode.INVALID_ARGUMENT,
    ),
}
