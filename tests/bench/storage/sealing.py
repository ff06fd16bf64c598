"""What an hour of samples takes as one compressed block, and costs to make: `python -m tests.bench.storage.sealing`.

Decision record 0007 has the table. Nothing of the product stores samples so; each column is a zlib stream of its own,
so that one series can be read without the others.
"""

import array
import itertools
import random
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from flick.v1 import telemetry_pb2
from tests.bench.storage.day import INTERVAL_S, Host

HOUR_SAMPLES = 3600 // INTERVAL_S
HOURS = 24
SERVERS = 3
LEVELS = (1, 6)

_START_NS = 1_760_054_400 * 10**9
_PAGE_BYTES = 4096


def seal_numbers(column: Sequence[float], *, form: str, level: int) -> bytes:
    """A column: one number where it never changes, steps between whole numbers, else the bytes side by side."""
    if column.count(column[0]) == len(column):
        return b"c" + array.array(form, column[:1]).tobytes()
    if form == "d" and all(one.is_integer() for one in column):
        steps = [int(after - before) for before, after in itertools.pairwise((0.0, *column))]
        return b"i" + _compress(array.array("q", steps), level)
    return b"f" + _compress(array.array(form, column), level)


def read_numbers(block: bytes) -> list[float]:
    """A column of numbers of eight bytes that `seal_numbers` made."""
    kind, body = block[:1], block[1:]
    if kind == b"c":
        return array.array("d", body).tolist() * HOUR_SAMPLES
    side_by_side = zlib.decompress(body)
    count = len(side_by_side) // 8
    whole = bytearray(len(side_by_side))
    for place in range(8):
        whole[place::8] = side_by_side[place * count : (place + 1) * count]
    if kind == b"i":
        return [float(one) for one in itertools.accumulate(array.array("q", bytes(whole)))]
    return array.array("d", bytes(whole)).tolist()


def seal_processes(snapshots: Iterable[bytes], *, level: int) -> list[bytes]:
    """Snapshots: who there was, once, and columns of who was listed, with what."""
    known: dict[tuple[int, str, str, str], int] = {}
    last_pages: dict[int, int] = {}
    who, shares, pages, threads = array.array("H"), array.array("f"), array.array("q"), array.array("H")
    counts, states = bytearray(), bytearray()
    for snapshot in snapshots:
        processes = telemetry_pb2.ProcessSnapshot.FromString(snapshot).processes
        counts.append(len(processes))
        for one in processes:
            number = known.setdefault((one.pid, one.name, one.command, one.user), len(known))
            now_pages = one.memory_rss // _PAGE_BYTES
            who.append(number)
            shares.append(one.cpu_utilization)
            pages.append(now_pages - last_pages.get(number, 0))
            threads.append(one.thread_count)
            states.append(one.state == "running")
            last_pages[number] = now_pages
    names = "\0".join(f"{pid}\1{name}\1{command}\1{user}" for pid, name, command, user in known).encode()
    texts = [zlib.compress(one, level) for one in (names, bytes(counts), bytes(states))]
    return texts + [_compress(column, level) for column in (who, shares, pages, threads)]


def _compress(column: "array.array[float] | array.array[int]", level: int) -> bytes:
    whole, width = column.tobytes(), column.itemsize
    return zlib.compress(b"".join(whole[place::width] for place in range(width)), level)


def main() -> None:
    """Bytes and microseconds per sample, by level of compression."""
    sizes: Counter[tuple[int, str]] = Counter()
    seconds: defaultdict[tuple[int, str], float] = defaultdict(float)
    one_series: dict[int, list[bytes]] = {level: [] for level in LEVELS}
    for seed in range(SERVERS):
        host = Host(rng=random.Random(seed), start_time_ns=_START_NS)
        for _ in range(HOURS):
            samples = list(host.samples(HOUR_SAMPLES))
            core = [list(column) for column in zip(*(one.core for one in samples), strict=True)]
            core.append([one.time_unix_nano / 1000 for one in samples])
            labelled = [list(column) for column in zip(*(one.labelled for one in samples), strict=True)]
            for level in LEVELS:
                began_s = time.process_time()
                numbers = [seal_numbers(one, form="d", level=level) for one in core]
                singles = [seal_numbers(one, form="f", level=level) for one in labelled]
                between_s = time.process_time()
                processes = seal_processes((one.processes for one in samples), level=level)
                seconds[level, "numbers"] += between_s - began_s
                seconds[level, "processes"] += time.process_time() - between_s
                for name, blocks in (("core", numbers), ("labelled", singles), ("processes", processes)):
                    sizes[level, name] += sum(map(len, blocks))
                one_series[level].append(numbers[0])
    for level in LEVELS:
        began_s = time.process_time()
        read = [one for block in one_series[level][:HOURS] for one in read_numbers(block)]
        read_ms = (time.process_time() - began_s) * 1e3
        count = SERVERS * HOURS * HOUR_SAMPLES
        parts = {name: sizes[level, name] / count for name in ("core", "labelled", "processes")}
        spent = {name: seconds[level, name] / count * 1e6 for name in ("numbers", "processes")}
        print(
            f"level {level}: {sum(parts.values()):.1f} B per sample",
            {name: round(one, 1) for name, one in parts.items()},
        )
        print(f"  {sum(spent.values()):.1f} us per sample", {name: round(one, 1) for name, one in spent.items()})
        print(f"  {read_ms:.1f} ms to read {len(read)} values of one series")


if __name__ == "__main__":
    main()
