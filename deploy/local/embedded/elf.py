"""Point unpacked Debian programs at the loader and libraries that lie beside them, instead of the system's."""

from collections.abc import Iterable
from pathlib import Path

from deploy.local.errors import RuntimeFetchError
from deploy.local.machine.process import run

_ELF_MAGIC = b"\x7fELF"


def find_loader(root: Path) -> Path:
    """Return the path of the dynamic loader below `root`, relative to it.

    Raises RuntimeFetchError when libc6 was not unpacked there.
    """
    for loader in sorted(root.glob("usr/lib/*-linux-gnu*/ld-linux*.so.*")):
        return loader.relative_to(root)
    raise RuntimeFetchError(f"no dynamic loader below {root}: libc6 was not unpacked")


def programs(folder: Path) -> list[Path]:
    """Return the ELF programs of a folder, symbolic links left out."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(4) == _ELF_MAGIC:
                    found.append(path)
    return found


async def bind_programs(files: Iterable[Path], *, patchelf: Path, root: Path, final_root: Path) -> None:
    """Rewrite the programs for their life in `final_root`, where `root` is moved to afterwards.

    Libraries are named relative to the program by DT_RPATH, which, unlike DT_RUNPATH, holds for the libraries'
    own libraries and for modules loaded later; so only the programs need to be rewritten.

    Raises RuntimeFetchError when patchelf fails.
    """
    loader = find_loader(root)
    for file in files:
        up = "/".join([".."] * len(file.parent.relative_to(root).parts))
        code, output = await run(
            patchelf,
            "--force-rpath",
            "--set-rpath",
            f"$ORIGIN/{up}/{loader.parent}",
            "--set-interpreter",
            final_root / loader,
            file,
        )
        if code != 0:
            raise RuntimeFetchError(f"patchelf could not rewrite {file.name}: {output.strip()}")
