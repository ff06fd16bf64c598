"""Fetch Debian packages with the system's own apt, but with private state, lists and cache, and without root."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from deploy.local.errors import RuntimeFetchError, UnsupportedHostError
from deploy.local.machine.process import run

KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
_TARGET_FORMAT = "$(CREATED_BY)|$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(RELEASE)|$(REPO_URI)"
_DOWNLOAD_LINE = re.compile(r"^dlstatus:\d+:(?P<percent>[\d.]+):")

# Wanted by the packages' maintainer scripts or for what is off here (JIT, PAM, locales): declared as installed in the
# private status file, they and what only they need are not fetched (43 MB instead of 99 MB).
NOT_NEEDED = (
    "adduser",
    "base-passwd",
    "debconf",
    "init-system-helpers",
    "libc-bin",
    "libllvm19",
    "libpam-modules",
    "libpam-modules-bin",
    "libpam-runtime",
    "libperl5.40",
    "locales",
    "login.defs",
    "netbase",
    "openssl",
    "openssl-provider-legacy",
    "passwd",
    "perl",
    "perl-base",
    "perl-modules-5.40",
    "postgresql-client-common",
    "postgresql-common",
    "procps",
    "readline-common",
    "ssl-cert",
    "sysvinit-utils",
    "tzdata",
    "ucf",
)

Progress = Callable[[str, float | None], None]
"""Called with what is being done and the part of it that is done (0 to 1, None when unknown)."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where packages come from: a Debian mirror, the release's codename, and the keyring that must have signed it."""

    mirror: str
    codename: str
    keyring: Path

    def line(self) -> str:
        """Return the one-line source for apt."""
        return f"deb [signed-by={self.keyring}] {self.mirror} {self.codename} main\n"


async def find_source(codename: str) -> Source:
    """Return the source on the mirror that the system's own apt uses.

    Raises UnsupportedHostError when there is no apt, no Debian keyring or no Debian mirror.
    """
    for program in ("apt-get", "dpkg-deb"):
        if which(program) is None:
            raise UnsupportedHostError(f"`{program}` is not on this machine")
    keyring = next((path for path in KEYRINGS if path.exists()), None)
    if keyring is None:
        raise UnsupportedHostError("Debian's signing keys are missing (package debian-archive-keyring)")
    code, output = await run("apt-get", "indextargets", "--format", _TARGET_FORMAT)
    mirror = choose_mirror(output.splitlines()) if code == 0 else None
    if mirror is None:
        raise UnsupportedHostError("apt knows no Debian mirror (`apt-get indextargets` shows none with component main)")
    return Source(mirror=mirror, codename=codename, keyring=keyring)


def choose_mirror(targets: Sequence[str]) -> str | None:
    """Return the mirror's address out of apt's index targets: Debian's own main archive, never security or others.

    Origin and label are known only after an `apt-get update`; before it, a source of the main component whose
    address names debian, but not its security archive, is taken.
    """
    guess = None
    for target in targets:
        created_by, origin, label, component, release, uri = target.split("|", 5)
        if created_by != "Packages" or component != "main":
            continue
        if origin == "Debian" and label == "Debian":
            return uri
        plain = not origin and "security" not in f"{release} {uri}" and "debian" in uri
        if guess is None and plain:
            guess = uri
    return guess


async def download(packages: Sequence[str], *, source: Source, folder: Path, progress: Progress) -> list[Path]:
    """Fetch packages with all they need into `folder` and return the .deb files; a cut download is resumed.

    Raises RuntimeFetchError with apt's own words.
    """
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text(source.line())
    (folder / "status").write_text("".join(_installed(name) for name in NOT_NEEDED))
    options = _options(folder)
    progress("reading Debian's package lists", None)
    await _apt(options, "update")
    await _apt(
        options,
        "install",
        "--yes",
        "--download-only",
        "--no-install-recommends",
        *packages,
        on_line=lambda line: _report(line, progress),
    )
    return sorted((folder / "cache/archives").glob("*.deb"))


def _installed(package: str) -> str:
    return (
        f"Package: {package}\nStatus: install ok installed\nMaintainer: FLick\nArchitecture: all\n"
        "Multi-Arch: foreign\nVersion: 999:0\nDescription: not needed here\n\n"
    )


def _options(folder: Path) -> list[str]:
    settings = {
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
        "Dir::State::lists": folder / "state/lists",
        "Dir::Cache": folder / "cache",
        "Dir::Cache::archives": folder / "cache/archives",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::Log": folder,
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "APT::Get::List-Cleanup": "false",
        "APT::Status-Fd": "1",
        "APT::Update::Pre-Invoke": "",
        "APT::Update::Post-Invoke": "",
        "APT::Update::Post-Invoke-Success": "",
    }
    return [f"-o{name}={value}" for name, value in settings.items()]


async def _apt(
    options: Sequence[str], verb: str, *arguments: str, on_line: Callable[[str], None] | None = None
) -> None:
    code, output = await run("apt-get", "-q", *options, verb, *arguments, on_line=on_line)
    if code != 0 or "\nE: " in output or "\nErr:" in output:
        complaints = [line for line in output.splitlines() if line.startswith(("E:", "Err:", "W:"))]
        raise RuntimeFetchError(
            f"apt-get {verb} failed: "
            + (" | ".join(complaints[-4:]) or output.strip()[-400:])
            + ". Check the network and that the system's own `apt-get update` works, then start again"
        )


def _report(line: str, progress: Progress) -> None:
    match = _DOWNLOAD_LINE.match(line)
    if match:
        progress("fetching TimescaleDB and Redis", float(match["percent"]) / 100)
