"""Whatever stands in the files, collectors answer: with numbers, or with nothing."""

import math
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.collection import Collection
from agent.collectors.cpu import frequency
from agent.collectors.network import interfaces, snmp, sockets
from agent.collectors.proc_file import number_of
from agent.collectors.storage import disks
from agent.collectors.system import pressure, sessions
from tests.unit.agent.collectors import machines
from tests.unit.agent.collectors.moments import at

FILES = sorted(name for name in machines.many_cores(second=1) if name.startswith("proc/"))
SAMPLES = list(machines.many_cores(second=1000).values()) + list(machines.OLD_KERNEL.values())
WORDS = [word.encode() for text in SAMPLES for word in (*text.split()[:40], "\n", " ", ":", "\t")]
GARBAGE = st.one_of(
    st.binary(max_size=400),
    st.lists(st.sampled_from(sorted(set(WORDS))), max_size=60).map(b" ".join),
    st.lists(st.sampled_from(sorted(set(WORDS))), max_size=60).map(b"\n".join),
)
PARSERS = (frequency.parse_cpuinfo, interfaces.parse, snmp.parse, sockets.parse, disks.parse, pressure.parse)


@given(GARBAGE)
def test_parsers_of_garbage_find_numbers_or_nothing(text: bytes) -> None:
    for parse in PARSERS:
        found: object = parse(text)

        assert isinstance(found, dict)


@given(GARBAGE, st.sampled_from([b"pswpin", b"ctxt", b"Udp6InErrors", b""]))
def test_a_number_behind_a_name_is_a_number_or_none(text: bytes, name: bytes) -> None:
    found = number_of(text, name)

    assert found is None or found >= 0


@given(st.text(max_size=200))
def test_any_text_is_a_person_or_not(text: str) -> None:
    assert sessions.is_person(text) in (True, False)


def test_a_number_is_that_of_the_whole_name_wherever_it_stands() -> None:
    text = b"oom 1\noom_kill 2\nxoom_kill 3\npadded         \t4\nnone\nword x\n"

    assert [number_of(text, name) for name in (b"oom", b"oom_kill", b"padded", b"none", b"word", b"kill")] == [
        1,
        2,
        4,
        None,
        None,
        None,
    ]


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(FILES), GARBAGE, min_size=1), st.integers(0, 1))
def test_a_machine_whose_files_hold_garbage_is_measured_as_far_as_it_goes(garbage: dict[str, bytes], when: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text in machines.OLD_KERNEL.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        with Collection(collectors=machines.collectors(root)) as collection:
            for second in range(3):
                if second == when:
                    for name, data in garbage.items():
                        (root / name).parent.mkdir(parents=True, exist_ok=True)
                        (root / name).write_bytes(data)
                readings = collection.collect(at(second))

        assert len(readings.series) == len(readings.values)
        assert all(math.isnan(value) or value >= 0 for value in (*readings.core, *readings.values))
