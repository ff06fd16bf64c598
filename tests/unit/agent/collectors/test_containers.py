"""Containers are found and measured by the control groups of machines that this one is not."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.collectors.cgroups import split, unified
from agent.collectors.cgroups.hierarchy import this_hierarchy
from agent.collectors.cgroups.usage import numbers
from agent.collectors.collector import Measured
from agent.collectors.containers.choice import ContainerChoice, find_containers
from agent.collectors.containers.containers import ContainersCollector
from agent.collectors.containers.identity import Container, container_at
from agent.collectors.containers.names import ContainerNames
from flick.v1 import catalog_pb2 as catalog
from tests.unit.agent.collectors.moments import at
from tests.unit.agent.collectors.trees import DATABASE, DOCKER_HOST, OLD_HOST, POD, WEB, grow


@pytest.mark.parametrize(
    "group",
    [
        f"/docker/{WEB}",
        f"/system.slice/docker-{WEB}.scope",
        f"/machine.slice/libpod-{WEB}.scope",
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{WEB}.scope",
        f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{WEB}.scope",
        f"/kubepods/burstable/pod8c4d/{WEB}",
        f"/kubepods.slice/kubepods-pod1.slice/crio-{WEB}.scope",
        f"/system.slice/containerd.service/kubepods-burstable-pod1.slice:cri-containerd:{WEB}",
    ],
)
def test_a_container_is_known_by_its_group(group: str) -> None:
    assert container_at(group) == Container(group, WEB)


@pytest.mark.parametrize(
    ("group", "name"),
    [("/lxc.payload.mail", "mail"), ("/lxc/mail", "mail"), ("/machine.slice/systemd-nspawn@mail.service", "mail")],
)
def test_a_container_that_its_group_names(group: str, name: str) -> None:
    assert container_at(group) == Container(group, name, name)


@pytest.mark.parametrize(
    "group",
    [
        "",
        "/docker",
        "/system.slice/docker.service",
        f"/machine.slice/libpod-conmon-{WEB}.scope",
        f"/kubepods.slice/crio-conmon-{WEB}.scope",
        f"/docker/{WEB[:-1]}",
        f"/process/{WEB[:32]}",
        "/machine.slice/machine-qemu-1-vm.scope",
        "/lxc",
    ],
)
def test_what_is_no_container(group: str) -> None:
    assert container_at(group) is None


def test_docker_s_containers_have_their_names_or_short_ids(tmp_path: Path) -> None:
    grow(tmp_path, DOCKER_HOST)
    found = find_containers(cgroups=tmp_path / "cgroup", root=tmp_path / "root")

    assert list(found) == [DATABASE[:12], "web"]
    assert found["web"].group == f"/system.slice/docker-{WEB}.scope"


def test_an_old_host_s_containers_and_pods_without_what_holds_them_together(tmp_path: Path) -> None:
    grow(tmp_path, OLD_HOST)
    found = find_containers(cgroups=tmp_path / "cgroup", root=tmp_path / "root")

    assert list(found) == ["prod/shop-0/api", WEB[:12]]
    assert found["prod/shop-0/api"].id == POD


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"var/lib/containers/storage/overlay-containers/containers.json": f'[{{"id": "{WEB}", "names": ["cache"]}}]'},
         "cache"),
        ({f"run/containerd/io.containerd.runtime.v2.task/default/{WEB}/config.json":
          '{"annotations": {"nerdctl/name": "proxy"}}'}, "proxy"),
        ({f"run/containers/storage/overlay-containers/{WEB}/userdata/config.json":
          '{"annotations": {"io.kubernetes.container.name": "c", "io.kubernetes.pod.name": "p",'
          ' "io.kubernetes.pod.namespace": "n"}}'}, "n/p/c"),
        ({f"var/lib/docker/containers/{WEB}/config.v2.json": "[1, 2"}, WEB[:12]),
        ({f"var/lib/docker/containers/{WEB}/config.v2.json": "[1, 2]"}, WEB[:12]),
        ({"var/lib/containers/storage/overlay-containers/containers.json": f'[{{"id": "{WEB}", "names": null}}, 5]'},
         WEB[:12]),
        ({}, WEB[:12]),
    ],
    ids=["podman", "nerdctl", "cri-o", "half written", "of another form", "podman without a name", "nobody tells"],
)  # fmt: skip
def test_names_as_runtimes_keep_them(tmp_path: Path, files: dict[str, str], name: str) -> None:
    grow(tmp_path, files)

    assert ContainerNames(root=tmp_path).of(Container(f"/docker/{WEB}", WEB)) == name


def test_two_containers_of_one_name_are_told_apart(tmp_path: Path) -> None:
    grow(tmp_path, DOCKER_HOST)
    grow(tmp_path, {f"root/var/lib/docker/containers/{DATABASE}/config.v2.json": '{"Name": "/web"}'})
    found = find_containers(cgroups=tmp_path / "cgroup", root=tmp_path / "root")

    assert sorted(found) == ["web", f"web {DATABASE[:12]}"]


def collector(tmp_path: Path) -> ContainersCollector:
    choice = ContainerChoice(find=lambda: find_containers(cgroups=tmp_path / "cgroup", root=tmp_path / "root"))
    return ContainersCollector(choice=choice, cgroups=tmp_path / "cgroup", root=tmp_path / "proc")


def of(found: Measured, name: str) -> dict[object, float]:
    return {metric: value for (metric, (one,)), value in zip(found.series, found.values, strict=True) if one == name}


def test_what_a_container_uses_by_version_2(tmp_path: Path) -> None:
    measuring = collector(grow(tmp_path, DOCKER_HOST))
    first = measuring.collect(at(1))
    scope = tmp_path / f"cgroup/system.slice/docker-{WEB}.scope"
    (scope / "cpu.stat").write_text("usage_usec 4000000\nnr_periods 120\nnr_throttled 15\n")
    (scope / "io.stat").write_text("8:0 rbytes=8192 wbytes=8192\n259:0 rbytes=1000 wbytes=2000\n")
    net = tmp_path / "proc/4321/net/dev"
    net.write_text(net.read_text().replace("5000", "9000"))
    second = measuring.collect(at(3))

    assert first.series is second.series
    assert of(second, "web") == {
        catalog.METRIC_CONTAINER_CPU: pytest.approx(1.5),
        catalog.METRIC_CONTAINER_CPU_THROTTLED: 0.25,
        catalog.METRIC_CONTAINER_MEMORY: 104857600,
        catalog.METRIC_CONTAINER_MEMORY_WORKING_SET: 100_000_000,
        catalog.METRIC_CONTAINER_MEMORY_LIMIT: 268435456,
        catalog.METRIC_CONTAINER_DISK_READ: 2048.0,
        catalog.METRIC_CONTAINER_DISK_WRITE: 1000.0,
        catalog.METRIC_CONTAINER_NETWORK_RECEIVE: 2000.0,
        catalog.METRIC_CONTAINER_NETWORK_TRANSMIT: 0.0,
        catalog.METRIC_CONTAINER_TASKS: 7,
    }


def test_what_is_not_told_of_a_container_is_a_hole(tmp_path: Path) -> None:
    measuring = collector(grow(tmp_path, DOCKER_HOST))
    measuring.collect(at(1))
    found = of(measuring.collect(at(2)), DATABASE[:12])

    assert {metric for metric, value in found.items() if math.isnan(value)} == {
        catalog.METRIC_CONTAINER_CPU_THROTTLED,
        catalog.METRIC_CONTAINER_MEMORY_WORKING_SET,
        catalog.METRIC_CONTAINER_MEMORY_LIMIT,
        catalog.METRIC_CONTAINER_NETWORK_RECEIVE,
        catalog.METRIC_CONTAINER_NETWORK_TRANSMIT,
        catalog.METRIC_CONTAINER_TASKS,
    }
    assert found[catalog.METRIC_CONTAINER_DISK_READ] == 0.0  # an empty io.stat: there was no I/O


def test_what_a_container_uses_by_version_1(tmp_path: Path) -> None:
    measuring = collector(grow(tmp_path, OLD_HOST))
    measuring.collect(at(1))
    (tmp_path / f"cgroup/cpu,cpuacct/docker/{WEB}/cpuacct.usage").write_text("2500000000\n")
    blkio = tmp_path / f"cgroup/blkio/docker/{WEB}/blkio.throttle.io_service_bytes"
    blkio.write_text("8:0 Read 8192\n8:0 Write 512\nTotal 8704\n")
    found = of(measuring.collect(at(2)), WEB[:12])

    assert found[catalog.METRIC_CONTAINER_CPU] == pytest.approx(0.5)
    assert found[catalog.METRIC_CONTAINER_CPU_THROTTLED] == 0.0
    assert found[catalog.METRIC_CONTAINER_MEMORY] == 1048576
    assert found[catalog.METRIC_CONTAINER_MEMORY_WORKING_SET] == 1_000_000
    assert math.isnan(found[catalog.METRIC_CONTAINER_MEMORY_LIMIT])
    assert found[catalog.METRIC_CONTAINER_DISK_READ] == 4096.0
    assert found[catalog.METRIC_CONTAINER_DISK_WRITE] == 0.0
    assert found[catalog.METRIC_CONTAINER_TASKS] == 3


def test_a_container_with_the_machine_s_own_network_has_no_traffic_of_its_own(tmp_path: Path) -> None:
    grow(tmp_path, {**DOCKER_HOST, "proc/4321/ns/net": "-> net:[1]"})
    measuring = collector(tmp_path)
    measuring.collect(at(1))
    found = of(measuring.collect(at(2)), "web")

    assert math.isnan(found[catalog.METRIC_CONTAINER_NETWORK_RECEIVE])


def test_a_container_that_has_gone_is_a_hole_until_it_is_forgotten(tmp_path: Path) -> None:
    measuring = collector(grow(tmp_path, DOCKER_HOST))
    before = measuring.collect(at(1))
    scope = tmp_path / f"cgroup/system.slice/docker-{WEB}.scope"
    for file in scope.iterdir():
        file.unlink()
    scope.rmdir()
    after = measuring.collect(at(2))

    assert after.series is before.series
    assert all(map(math.isnan, of(after, "web").values()))


@pytest.mark.parametrize("files", [{}, {"cgroup/unified/cgroup.procs": ""}], ids=["none", "without controllers"])
def test_where_there_are_no_control_groups_there_are_no_containers(tmp_path: Path, files: dict[str, str]) -> None:
    grow(tmp_path, files)

    assert collector(tmp_path).collect(at(1)) == Measured()
    assert this_hierarchy(tmp_path / "cgroup") is None


lines = st.lists(
    st.text(max_size=20)
    | st.tuples(st.sampled_from(["usage_usec", "8:0", "Read"]), st.text(max_size=8)).map(" ".join)
    | st.tuples(st.sampled_from(["8:0 rbytes", "8:0 wbytes"]), st.text(max_size=8)).map("=".join)
    | st.tuples(st.sampled_from(["8:0 Read", "8:0 Write"]), st.text(max_size=8)).map(" ".join)
).map("\n".join)


@given(lines)
def test_whatever_a_control_group_writes_is_read_without_an_error(text: str) -> None:
    told = [*numbers(text).values(), *unified.transferred(text), *split.transferred(text)]

    assert all(isinstance(value, int) and value >= 0 for value in told)


@given(st.text(alphabet="/abcdef0123456789-.:@lxcdocker", max_size=90))
def test_any_group_is_a_container_or_none(group: str) -> None:
    found = container_at(group)

    assert found is None or (found.group == group and found.id)
