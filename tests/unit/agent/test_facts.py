"""What kind of machine it is, found out from the files of machines that this one is not."""

import platform
import re
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from agent.facts.addresses import MAX_ADDRESSES, addresses, ipv4, ipv6
from agent.facts.installation import boot_time_s, machine_id, memory_bytes, os_name
from agent.facts.processor import Processor, parse
from agent.facts.virtualization import virtualization
from agent.host import KnownHost, this_host
from agent.worker import Worker
from flick.v1 import servers_pb2
from services.auth.rules.joining import checked_host
from tests.unit.agent.collectors.trees import grow

X86 = """\
processor\t: {0}
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R)   CPU E5-2680 v4 @ 2.40GHz
physical id\t: {1}
core id\t\t: {2}
flags\t\t: fpu vme {3}

"""
RASPBERRY = "processor\t: 0\nBogoMIPS\t: 108.00\n\nprocessor\t: 1\n\nModel\t\t: Raspberry Pi 4 Model B\n"
FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.0.0.0/8 2 0 2
        |-- 10.0.0.9
           /32 host LOCAL
        |-- 10.0.0.255
           /32 link BROADCAST
        |-- 10.0.0.77
           /32 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
        |-- 169.254.1.1
           /32 host LOCAL
Local:
        |-- 10.0.0.9
           /32 host LOCAL
        |-- 9.0.0.1
           /32 host LOCAL
"""
IF_INET6 = """\
20010db8000000000000000000000001 02 40 00 80     eth0
20010db8000000000000000000000abc 02 40 00 01     eth0
fe800000000000000000000000000001 02 40 20 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
"""


def test_a_machine_with_two_processors_of_two_cores_and_four_threads() -> None:
    places = [(0, 0), (0, 1), (1, 0), (1, 1)] * 2
    text = "".join(X86.format(number, *place, "sse2") for number, place in enumerate(places))

    assert parse(text) == Processor("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", 8, 4, False)


def test_a_virtual_machine_is_known_by_its_processor() -> None:
    assert parse(X86.format(0, 0, 0, "hypervisor sse2")).has_hypervisor
    assert not parse(X86.format(0, 0, 0, "hypervisorish")).has_hypervisor


def test_a_board_whose_processor_does_not_tell_its_cores() -> None:
    assert parse(RASPBERRY) == Processor("Raspberry Pi 4 Model B", 2, 0, False)


@pytest.mark.parametrize(
    ("files", "has_hypervisor", "name"),
    [
        ({}, False, "none"),
        ({}, True, "vm-other"),
        ({"sys/class/dmi/id/sys_vendor": "Dell Inc."}, False, "none"),
        ({"sys/class/dmi/id/sys_vendor": "QEMU"}, True, "qemu"),
        ({"sys/class/dmi/id/product_name": "KVM", "sys/class/dmi/id/sys_vendor": "Red Hat"}, True, "kvm"),
        ({"sys/class/dmi/id/product_name": "VMware Virtual Platform"}, True, "vmware"),
        ({"sys/class/dmi/id/product_name": "Virtual Machine",
          "sys/class/dmi/id/sys_vendor": "Microsoft Corporation"}, True, "microsoft"),
        ({"sys/class/dmi/id/product_name": "Google Compute Engine"}, True, "google"),
        ({"sys/class/dmi/id/product_name": "m5.large", "sys/class/dmi/id/sys_vendor": "Amazon EC2"}, True, "amazon"),
        ({"sys/hypervisor/type": "xen"}, True, "xen"),
        ({"run/systemd/container": "lxc", "sys/class/dmi/id/sys_vendor": "QEMU"}, True, "lxc"),
        ({".dockerenv": ""}, True, "docker"),
        ({"run/.containerenv": "engine=podman"}, False, "podman"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_what_a_machine_runs_in(tmp_path: Path, files: dict[str, str], has_hypervisor: bool, name: str) -> None:
    assert virtualization(grow(tmp_path, files), has_hypervisor=has_hypervisor) == name


def test_addresses_by_which_others_reach_it(tmp_path: Path) -> None:
    grow(tmp_path, {"proc/net/fib_trie": FIB_TRIE, "proc/net/if_inet6": IF_INET6})

    assert addresses(tmp_path) == ["9.0.0.1", "10.0.0.9", "2001:db8::1"]


def test_no_more_addresses_are_told_than_auth_takes(tmp_path: Path) -> None:
    many = "".join(f"|-- 10.0.{number}.1\n /32 host LOCAL\n" for number in range(100))

    assert len(addresses(grow(tmp_path, {"proc/net/fib_trie": many}))) == MAX_ADDRESSES


@given(st.lists(st.sampled_from([*FIB_TRIE.splitlines(), *IF_INET6.splitlines()]) | st.text()).map("\n".join))
def test_whatever_the_kernel_writes_of_addresses_is_read_without_an_error(text: str) -> None:
    found = {str(address) for address in (*ipv4(text), *ipv6(text))}

    assert found.isdisjoint({"127.0.0.1", "::1"})


@given(st.text())
def test_whatever_the_kernel_writes_of_processors_is_read_without_an_error(text: str) -> None:
    assert parse(text).logical_count >= 0


def test_the_machine_id_is_told_only_as_a_hash(tmp_path: Path) -> None:
    plain = "0123456789abcdef0123456789abcdef"
    grow(tmp_path, {"etc/machine-id": plain})
    told = machine_id(tmp_path)

    assert re.fullmatch("[0-9a-f]{32}", told)
    assert told != plain
    assert told == machine_id(tmp_path)


@pytest.mark.parametrize("files", [{}, {"etc/machine-id": "uninitialized"}], ids=["none", "not yet"])
def test_a_machine_without_an_id_has_none(tmp_path: Path, files: dict[str, str]) -> None:
    assert machine_id(grow(tmp_path, files)) == ""


def test_when_it_was_started_and_its_memory(tmp_path: Path) -> None:
    grow(
        tmp_path,
        {"proc/stat": "cpu 1\nbtime 1700000000\n", "proc/meminfo": "MemTotal:       16384 kB\nMemFree: 1 kB\n"},
    )

    assert (boot_time_s(tmp_path), memory_bytes(tmp_path)) == (1_700_000_000, 16 * 1024 * 1024)


def test_a_machine_that_tells_nothing_is_told_all_the_same(tmp_path: Path) -> None:
    host = this_host(root=tmp_path)

    assert host.virtualization == "none"
    assert not host.HasField("boot_time")
    assert checked_host(host) == host


def test_auth_takes_this_very_machine_and_one_whose_firmware_says_odd_things(tmp_path: Path) -> None:
    odd = {"proc/cpuinfo": "model name : A\x07" + "b" * 300, "run/systemd/container": "x\x00y" * 200}

    assert checked_host(this_host()) == this_host()
    assert len(checked_host(this_host(root=grow(tmp_path, odd))).cpu_model) == 200


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ('NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n', "Debian GNU/Linux 12 (bookworm)"),
        ("PRETTY_NAME='Alpine Linux v3.20'\n", "Alpine Linux v3.20"),
        ("PRETTY_NAME=Arch\n", "Arch"),
        (r'PRETTY_NAME="The \"Quoted\" \$1 \\ Linux"', r'The "Quoted" $1 \ Linux'),
        ("OLD_PRETTY_NAME=x\nNAME=y\n", ""),
        ("", ""),
    ],
    ids=["debian", "alpine", "bare", "escaped", "none", "no file"],
)
def test_the_operating_system_is_called_as_os_release_says(tmp_path: Path, lines: str, name: str) -> None:
    grow(tmp_path, {"usr/lib/os-release": lines} if lines else {})

    assert os_name(tmp_path) == name


def test_this_very_system_is_called_as_python_reads_it() -> None:
    try:
        told = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        pytest.skip("this system has no os-release")

    assert os_name(Path("/")) == told


def _known(*hosts: servers_pb2.Host | Exception) -> KnownHost:
    """A machine that is found out to be each of `hosts` in turn; an error is raised."""
    left = list(hosts)

    def ask() -> servers_pb2.Host:
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    return KnownHost(ask=ask, worker=Worker())


def _booted(seconds: int, **more: str) -> servers_pb2.Host:
    return servers_pb2.Host(boot_time=Timestamp(seconds=seconds), **more)  # type: ignore[arg-type]


def test_a_new_address_is_known_when_it_is_there() -> None:
    before, after = servers_pb2.Host(addresses=["192.0.2.1"]), servers_pb2.Host(addresses=["192.0.2.2"])
    known = _known(before, after)

    assert [known.now(), known.now()] == [before, after]


def test_a_corrected_clock_is_no_other_boot_but_one_that_was_set_is() -> None:
    known = _known(*(_booted(seconds) for seconds in (1_790_000_000, 1_790_000_002, 1_790_003_600)))

    assert [known.now().boot_time.seconds for _ in range(3)] == [1_790_000_000, 1_790_000_000, 1_790_003_600]


def test_a_machine_without_a_time_of_boot_gets_none() -> None:
    known = _known(servers_pb2.Host(hostname="a"), servers_pb2.Host(hostname="a"))
    known.now()

    assert not known.now().HasField("boot_time")


@pytest.mark.parametrize("error", [TimeoutError(), OSError(), ValueError()], ids=["hangs", "fails", "is odd"])
def test_what_can_not_be_found_out_now_stays_as_it_was(error: Exception) -> None:
    before = _booted(1_790_000_000, hostname="a")
    known = _known(before, error)
    known.now()

    assert known.now() == before
