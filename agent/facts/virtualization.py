"""What the machine runs in: a container, a virtual machine, or nothing but itself; as systemd-detect-virt names it."""

from pathlib import Path

NONE, UNNAMED = "none", "vm-other"
_DMI = ("product_name", "sys_vendor", "board_vendor", "bios_vendor")
_BY_VENDOR = (  # the beginnings of what firmware says
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("Amazon EC2", "amazon"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "oracle"),
    ("VirtualBox", "oracle"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Virtual Machine", "microsoft"),
    ("Hyper-V", "microsoft"),
    ("Apple Virtualization", "apple"),
    ("Google Compute Engine", "google"),
)
_LEFT_BY_RUNTIMES = ((".dockerenv", "docker"), ("run/.containerenv", "podman"))


def virtualization(root: Path, *, has_hypervisor: bool) -> str:
    """The container's runtime or else the hypervisor.

    Args:
        root: below which /proc, /run and /sys are.
        has_hypervisor: whether the processor says so; firmware alone does not count where it says no and could.
    """
    return _container(root) or _machine(root, has_hypervisor=has_hypervisor)


def _container(root: Path) -> str:
    told = _first_line(root / "run/systemd/container")
    if told:
        return told
    for name, runtime in _LEFT_BY_RUNTIMES:
        if (root / name).exists():
            return runtime
    return ""


def _machine(root: Path, *, has_hypervisor: bool) -> str:
    for name in _DMI:
        text = _first_line(root / "sys/class/dmi/id" / name)
        for beginning, hypervisor in _BY_VENDOR:
            # Clouds rent out whole machines too, with the same firmware.
            if text.startswith(beginning) and (has_hypervisor or not text.endswith(".metal")):
                return hypervisor
    if _first_line(root / "sys/hypervisor/type") == "xen":
        return "xen"
    return UNNAMED if has_hypervisor else NONE


def _first_line(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip().partition("\n")[0]
    except OSError:
        return ""
