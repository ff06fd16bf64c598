"""What runtimes call their containers, from the files that they keep of them, or else by asking."""

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent.collectors.containers.engine import engine_names
from agent.collectors.containers.identity import SHORT_ID_LENGTH, Container
from agent.collectors.sys_file import names_in

MAX_NAME_LENGTH = 128
_MAX_FILE_BYTES = 4 * 1024 * 1024  # podman keeps all its containers in one file
_DOCKER = "var/lib/docker/containers"
_PODMAN = "containers/storage/overlay-containers/containers.json"
_CONTAINERD = "run/containerd/io.containerd.runtime.v2.task"
_CRIO = "run/containers/storage/overlay-containers"
_USER = re.compile(r"/user-(\d+)\.slice/")
_NOT_READ = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
)  # not there, not ours to read, of another form


class ContainerNames:
    """Asks files below `root`. Made anew for each look, since what it read may have changed."""

    def __init__(self, *, root: Path = Path("/")) -> None:
        self._root = root
        self._podman: dict[Path, Mapping[str, str]] = {}
        self._engines: Mapping[str, str] | None = None
        self._namespaces = names_in(os.fspath(root / _CONTAINERD))

    def of(self, container: Container) -> str | None:
        """Its name, or the first twelve characters of its id. None: it only holds a pod together, and is no one's."""
        if container.name:
            return container.name[:MAX_NAME_LENGTH]
        annotations = self._annotations(container.id)
        if annotations.get("io.kubernetes.cri.container-type") == "sandbox":
            return None
        if annotations.get("io.kubernetes.cri-o.ContainerType") == "sandbox":
            return None
        name = (
            self._docker(container.id)
            or _in_kubernetes(annotations)
            or annotations.get("nerdctl/name")
            or self._of_podman(container)
            or self._of_engine(container.id)
        )
        return (str(name) if name else container.id[:SHORT_ID_LENGTH])[:MAX_NAME_LENGTH]

    def _docker(self, container_id: str) -> str:
        with suppress(*_NOT_READ):
            return str(_json(self._root / _DOCKER / container_id / "config.v2.json")["Name"]).lstrip("/")
        return ""

    def _annotations(self, container_id: str) -> Mapping[str, Any]:
        """Those of the container's OCI configuration, where containerd or CRI-O keep one."""
        folders = [self._root / _CONTAINERD / namespace / container_id for namespace in self._namespaces]
        for folder in (*folders, self._root / _CRIO / container_id / "userdata"):
            with suppress(*_NOT_READ):
                annotations = _json(folder / "config.json")["annotations"]
                return annotations if isinstance(annotations, dict) else {}
        return {}

    def _of_engine(self, container_id: str) -> str:
        if self._engines is None:
            self._engines = engine_names(self._root)
        return self._engines.get(container_id, "")

    def _of_podman(self, container: Container) -> str:
        home = _home_of(container.group)
        shares = [self._root / "var/lib"] if home is None else [self._root / home / ".local/share"]
        for share in shares:
            path = share / _PODMAN
            if path not in self._podman:
                self._podman[path] = _podman_names(path)
            return self._podman[path].get(container.id, "")
        return ""


def _in_kubernetes(annotations: Mapping[str, Any]) -> str:
    """Namespace, pod and container, which together are unique."""
    for prefix, names in (
        ("io.kubernetes.cri.", ("sandbox-namespace", "sandbox-name", "container-name")),
        ("io.kubernetes.", ("pod.namespace", "pod.name", "container.name")),
    ):
        parts = [str(annotations.get(prefix + name, "")) for name in names]
        if all(parts):
            return "/".join(parts)
    return ""


def _podman_names(path: Path) -> Mapping[str, str]:
    names = {}
    with suppress(*_NOT_READ):
        for entry in _json(path):
            with suppress(*_NOT_READ, IndexError):
                names[str(entry["id"])] = str(entry["names"][0])
    return names


def _home_of(group: str) -> Path | None:
    """Where the person lives whose own runtime started it, relative to the root; None: it is the system's."""
    found = _USER.search(group)
    if found is None:
        return None
    import pwd  # not there on every system

    with suppress(KeyError):
        return Path(pwd.getpwuid(int(found[1])).pw_dir.lstrip("/"))
    return Path("nowhere")


def _json(path: Path) -> Any:
    with path.open("rb") as file:
        data = file.read(_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise ValueError(f"{path} is larger than {_MAX_FILE_BYTES} bytes")
    return json.loads(data)
